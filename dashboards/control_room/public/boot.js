// Sets theme and language of this station before the first paint. A file of its own, for the policy allows no inline script.
(function () {
  try {
    var theme = localStorage.getItem('shifu.theme');
    var language = localStorage.getItem('shifu.language');
    if (theme === 'day' || theme === 'night') document.documentElement.dataset.theme = theme;
    if (language === 'en') document.documentElement.lang = 'en';
  } catch (error) {
    // Storage may be refused (private window): the defaults in index.html stand.
  }
})();
