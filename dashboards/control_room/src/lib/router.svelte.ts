// A small history router: every page has an address, and its state (range, filter, selection) is in the query.

import { PAGES } from './pages';

export interface Route {
  page: string;
  params: Record<string, string>;
}

const PATTERNS: [string, string][] = [...PAGES.map(({ id, path }): [string, string] => [id, path]), ['sign-in', '/sign-in'], ['link', '/link'], ['ack', '/ack']];

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/**
 * Page and parameters of a path; `missing` when there is no such page. An address of a point may be written with dots
 * or with slashes (`/points/cityhall/plant/ch1/load`): links use slashes, for many servers take a dot for a file.
 */
export function match(path: string): Route {
  const parts = path.replace(/\/+$/, '').split('/');
  for (const [page, pattern] of PATTERNS) {
    const wanted = pattern.replace(/\/+$/, '').split('/');
    const rest = wanted.findIndex((part) => part.startsWith('*'));
    if (rest < 0 ? wanted.length !== parts.length : parts.length <= rest) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, i) => {
      const text = part.startsWith('*') ? decode(parts.slice(i).join('.')) : decode(parts[i] as string);
      if (!part.startsWith(':') && !part.startsWith('*')) return part === text;
      if (text) params[part.slice(1)] = text;
      return Boolean(text);
    });
    if (fits) return { page, params };
  }
  return { page: 'missing', params: {} };
}

const segments = (address: string): string => address.split('.').map(encodeURIComponent).join('/');

export const href = {
  point: (address: string): string => `/points/${segments(address)}`,
  equipment: (address: string): string => `/equipment/${segments(address)}`,
  alarm: (id: string): string => `/alarms/${segments(id)}`,
  camera: (address: string): string => `/security/cameras/${segments(address)}`,
  floor: (building: string, floor: string): string => `/floors/${encodeURIComponent(building)}/${encodeURIComponent(floor)}`,
  planEdit: (building: string, floor: string): string => `/floors/${encodeURIComponent(building)}/${encodeURIComponent(floor)}/edit`,
  device: (id: string): string => `/devices/${encodeURIComponent(id)}`,
  trend: (addresses: string[], range = '24h'): string => `/trend?${new URLSearchParams({ points: addresses.join(','), range })}`,
};

class Router {
  path = $state(location.pathname);
  search = $state(location.search);
  route = $derived(match(this.path));
  query = $derived(new URLSearchParams(this.search));
  /** Asked before another page is shown; a page with unsaved work answers false, keeps `target` and asks the person. */
  guard: ((target: string) => boolean) | null = null;

  constructor() {
    addEventListener('popstate', () => {
      const target = location.pathname + location.search;
      // Back is over when it is told: the address of the page that stays is put there again.
      if (this.#stays(location.pathname, target)) history.pushState(null, '', this.path + this.search);
      else this.#sync();
    });
  }

  #stays(path: string, target: string): boolean {
    return path !== this.path && this.guard !== null && !this.guard(target);
  }

  #sync(): void {
    this.path = location.pathname;
    this.search = location.search;
  }

  go(target: string, replace = false): void {
    const url = new URL(target, location.origin);
    if (this.#stays(url.pathname, url.pathname + url.search)) return;
    if (replace) history.replaceState(null, '', url);
    else if (url.href !== location.href) history.pushState(null, '', url);
    this.#sync();
  }

  /** Change query parameters of this page; null or '' removes one. */
  set(values: Record<string, string | null>, replace = true): void {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(values)) {
      if (value === null || value === '') query.delete(key);
      else query.set(key, value);
    }
    const text = query.toString();
    this.go(location.pathname + (text ? `?${text}` : ''), replace);
  }

  /** Follow plain left clicks on links of this application without loading the page again. */
  handleClick = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a[href]');
    if (!link || link.hasAttribute('download') || link.getAttribute('target')) return;
    const target = link.getAttribute('href') ?? '';
    if (!target.startsWith('/') || target.startsWith('//') || target.startsWith('/api/')) return;
    event.preventDefault();
    this.go(target);
    document.getElementById('content')?.scrollTo(0, 0);
  };
}

export const router = new Router();
