// REST calls: each has a deadline, errors carry what happened and what to do, unsafe methods carry the CSRF token.

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly whatToDo: string,
  ) {
    super(detail || title);
  }
}

export const BASE = '/api/v1';
const DEADLINE_MS = 10_000;
/** Of a file that is sent: 5 MiB over a slow line. */
const UPLOAD_MS = 60_000;

type Query = Record<string, string | number | boolean | null | undefined>;

export function withQuery(path: string, query?: Query): string {
  if (!query) return path;
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== '') search.set(key, String(value));
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export class Api {
  csrf = '';
  /** Called when the server says that nobody is signed in. */
  onUnauthorized: () => void = () => undefined;

  async #send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, etag?: string): Promise<T> {
    return (await this.#ask<T>(method, path, body, signal, etag)).data;
  }

  async #ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, given?: string): Promise<{ data: T; etag: string }> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    const file = body instanceof Blob;
    if (method !== 'GET') headers['X-CSRF-Token'] = this.csrf;
    if (given) headers['If-Match'] = given;
    if (body !== undefined) headers['Content-Type'] = file ? body.type : 'application/json';
    const deadline = AbortSignal.timeout(file ? UPLOAD_MS : DEADLINE_MS);
    let response: Response;
    try {
      response = await fetch(BASE + path, {
        method,
        headers,
        body: body === undefined || file ? body : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        credentials: 'same-origin',
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem(0, deadline.aborted ? 'timeout' : 'network', '', '');
    }
    const etag = response.headers.get('ETag') ?? '';
    if (response.status === 204) return { data: undefined as T, etag };
    const text = await response.text();
    let data: unknown;
    try {
      data = text ? JSON.parse(text) : undefined;
    } catch {
      throw new Problem(response.status, 'not-json', text.slice(0, 200), '');
    }
    if (!response.ok) {
      const problem = (data ?? {}) as { title?: string; detail?: unknown; what_to_do?: string };
      if (response.status === 401 && path !== '/session') this.onUnauthorized();
      throw new Problem(response.status, problem.title ?? response.statusText, typeof problem.detail === 'string' ? problem.detail : '', problem.what_to_do ?? '');
    }
    return { data: data as T, etag };
  }

  /** Something with the tag of how it was read: who changes it gives the tag back. */
  tagged<T>(path: string, signal?: AbortSignal): Promise<{ data: T; etag: string }> {
    return this.#ask<T>('GET', path, undefined, signal);
  }
  /** Change something that was read with `tagged`; without a tag it is new. */
  change<T>(method: 'PUT' | 'POST', path: string, body: unknown, etag: string): Promise<T> {
    return this.#send<T>(method, path, body, undefined, etag);
  }

  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.#send<T>('GET', withQuery(path, query), undefined, signal);
  }
  post<T>(path: string, body: unknown): Promise<T> {
    return this.#send<T>('POST', path, body);
  }
  /** With the ETag of what was read, so that nobody's change is overwritten unseen. */
  put<T>(path: string, body: unknown, etag?: string): Promise<T> {
    return this.#send<T>('PUT', path, body, undefined, etag);
  }
  delete<T>(path: string, etag?: string): Promise<T> {
    return this.#send<T>('DELETE', path, undefined, undefined, etag);
  }
  /** A file as it is, with its own media type. */
  upload<T>(path: string, file: Blob): Promise<T> {
    return this.#send<T>('POST', path, file);
  }

  /** All pages of a list, bounded. */
  async all<T>(path: string, query: Query = {}, limit = 20_000, signal?: AbortSignal): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: T[]; next: string | null } = await this.get(path, { ...query, limit: 500, cursor }, signal);
      items.push(...page.items);
      cursor = page.next ?? null;
    } while (cursor !== null && items.length < limit);
    return items;
  }
}

export const api = new Api();
