// The two live regions of the page. They are in index.html, so they exist before anything is said.
function put(id: string, text: string): void {
  const region = document.getElementById(id);
  if (!region) return;
  // What was said stays in the language in which it was said, also when the station switches.
  region.lang = document.documentElement.lang;
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}
let lastAlert = -Infinity;
/** Life safety and priority 1 only; at most one sentence in 5 s. */
export function sayAlert(text: string, now = performance.now()): void {
  if (now - lastAlert < 5000) return;
  lastAlert = now;
  put('say-alert', text);
}
/** Results, connection, counts. */
export function sayStatus(text: string): void {
  put('say-status', text);
}
