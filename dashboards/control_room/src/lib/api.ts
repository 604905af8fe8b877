// REST calls: each has a deadline, errors carry what happened and what to do, unsafe methods carry the CSRF token.

/** One value that was refused, and why. */
export interface Refusal { key: string; got: string; wanted: string; what_to_do: string }

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly whatToDo: string,
    readonly problems: Refusal[] = [],
  ) {
    super(detail || title);
  }
}

/** What an unsafe request may carry beside its body. */
export interface Sending { etag?: string | undefined; deadline?: number }

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

  async #send<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, sending: Sending = {}): Promise<T> {
    return (await this.#fetch<T>(method, path, body, signal, sending)).data;
  }

  async #fetch<T>(method: string, path: string, body?: unknown, signal?: AbortSignal, sending: Sending = {}): Promise<{ data: T; etag: string }> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    const file = body instanceof Blob;
    if (method !== 'GET') headers['X-CSRF-Token'] = this.csrf;
    if (sending.etag) headers['If-Match'] = sending.etag;
    if (body !== undefined) headers['Content-Type'] = file ? body.type : 'application/json';
    const deadline = AbortSignal.timeout(sending.deadline ?? (file ? UPLOAD_MS : DEADLINE_MS));
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
      const problem = (data ?? {}) as { title?: string; detail?: unknown; what_to_do?: string; problems?: Refusal[] };
      if (response.status === 401 && path !== '/session') this.onUnauthorized();
      throw new Problem(response.status, problem.title ?? response.statusText, typeof problem.detail === 'string' ? problem.detail : '', problem.what_to_do ?? '', problem.problems ?? []);
    }
    return { data: data as T, etag };
  }

  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.#send<T>('GET', withQuery(path, query), undefined, signal);
  }
  /** The same with the ETag that a change of it must carry. */
  tagged<T>(path: string, signal?: AbortSignal): Promise<{ data: T; etag: string }> {
    return this.#fetch<T>('GET', path, undefined, signal);
  }
  post<T>(path: string, body: unknown, sending?: Sending): Promise<T> {
    return this.#send<T>('POST', path, body, undefined, sending);
  }
  /** With the ETag of what was read, so that nobody's change is overwritten unseen. */
  put<T>(path: string, body: unknown, etag?: string): Promise<T> {
    return this.#send<T>('PUT', path, body, undefined, { etag });
  }
  delete<T>(path: string, etag?: string): Promise<T> {
    return this.#send<T>('DELETE', path, undefined, undefined, { etag });
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
