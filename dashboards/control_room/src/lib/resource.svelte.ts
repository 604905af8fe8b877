// One thing that a page fetches: nothing for 200 ms, a skeleton, words after 3 s, an error with "retry" at the deadline.
import { Problem } from './api';

/** What a state component needs to know of something fetched. */
export interface Fetched<T> {
  readonly data: T | undefined;
  readonly error: Problem | null;
  readonly stage: 'none' | 'skeleton' | 'slow';
  readonly retry: () => void;
}

/** Something that is there already. */
export function ready<T>(data: T): Fetched<T> {
  return { data, error: null, stage: 'none', retry: () => undefined };
}

export class Resource<T> implements Fetched<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<Problem | null>(null);
  loading = $state(false);
  stage = $state<'none' | 'skeleton' | 'slow'>('none');
  #run = 0;
  #last: ((signal: AbortSignal) => Promise<T>) | null = null;
  #abort: AbortController | null = null;

  async load(fetcher: (signal: AbortSignal) => Promise<T>): Promise<void> {
    const run = ++this.#run;
    this.#last = fetcher;
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.loading = true;
    this.error = null;
    const soon = setTimeout(() => run === this.#run && (this.stage = 'skeleton'), 200);
    const slow = setTimeout(() => run === this.#run && (this.stage = 'slow'), 3000);
    try {
      const data = await fetcher(this.#abort.signal);
      if (run === this.#run) this.data = data;
    } catch (error) {
      if (run === this.#run) this.error = error instanceof Problem ? error : new Problem(0, 'page', String(error), '');
    } finally {
      clearTimeout(soon);
      clearTimeout(slow);
      if (run === this.#run) {
        this.loading = false;
        this.stage = 'none';
      }
    }
  }

  retry = (): void => {
    if (this.#last) void this.load(this.#last);
  };

  stop(): void {
    this.#run += 1;
    this.#abort?.abort();
  }
}
