// Is the page as narrow as a phone? One listener for all.
class Media {
  phone = $state(false);
  constructor() {
    if (typeof matchMedia !== 'function') return;
    const query = matchMedia('(max-width: 760px)');
    this.phone = query.matches;
    query.addEventListener('change', () => (this.phone = query.matches));
  }
}
export const media = new Media();
