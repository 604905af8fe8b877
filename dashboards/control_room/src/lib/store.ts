// Present values in typed arrays, indexed by point number. Not reactive: frames write arrays and mark numbers dirty; a
// paint (at most four a second) hands the dirty numbers that somebody watches to their listeners.
import type { Frame } from './frame';
import { Quality } from './quality';

export type Listener = (number: number) => void;

export interface Painter {
  /** Ask for one call back before the first paint that is at least `delay` ms away. */
  request(callback: () => void, delay: number): void;
  /** Monotonic ms. */
  now(): number;
}

export const PAINT_MS = 250;

export class ValueStore {
  value = new Float64Array(1024).fill(Number.NaN);
  /** Source time, ms since 1970 UTC by the server's clock. */
  time = new Float64Array(1024).fill(Number.NaN);
  quality = new Uint8Array(1024).fill(Quality.NOT_LOADED);
  /** Frames and values taken in, for the device page and the tests. */
  frames = 0;
  paints = 0;

  #dirty = new Set<number>();
  #listeners = new Map<number, Set<Listener>>();
  #scheduled = false;
  #painted = -Infinity;

  constructor(private readonly painter: Painter) {}

  #grow(size: number): void {
    if (size <= this.value.length) return;
    const next = Math.max(size, this.value.length * 2);
    const value = new Float64Array(next).fill(Number.NaN);
    value.set(this.value);
    const time = new Float64Array(next).fill(Number.NaN);
    time.set(this.time);
    const quality = new Uint8Array(next).fill(Quality.NOT_LOADED);
    quality.set(this.quality);
    this.value = value;
    this.time = time;
    this.quality = quality;
  }

  apply(frame: Frame): void {
    this.frames += 1;
    for (let i = 0; i < frame.count; i += 1) {
      const n = frame.number[i] as number;
      if (n >= this.value.length) this.#grow(n + 1);
      this.value[n] = frame.value[i] as number;
      this.quality[n] = frame.quality[i] as number;
      this.time[n] = frame.time - (frame.age[i] as number) * 1000;
      if (this.#listeners.has(n)) this.#dirty.add(n);
    }
    this.#schedule();
  }

  /** Put one value that came over REST (a point page before its first frame). */
  put(n: number, value: number | null, quality: number, time: number): void {
    this.#grow(n + 1);
    this.value[n] = value ?? Number.NaN;
    this.quality[n] = quality;
    this.time[n] = time;
    if (this.#listeners.has(n)) this.#dirty.add(n);
    this.#schedule();
  }

  /** Forget a number when nobody receives it any more: an old value must not look live on the next page. */
  forget(n: number): void {
    if (n >= this.value.length) return;
    this.value[n] = Number.NaN;
    this.time[n] = Number.NaN;
    this.quality[n] = Quality.NOT_LOADED;
  }

  watch(n: number, listener: Listener): () => void {
    this.#grow(n + 1);
    let set = this.#listeners.get(n);
    if (!set) {
      set = new Set();
      this.#listeners.set(n, set);
    }
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) {
        this.#listeners.delete(n);
        this.#dirty.delete(n);
      }
    };
  }

  get watched(): number {
    return this.#listeners.size;
  }

  #schedule(): void {
    if (this.#scheduled || this.#dirty.size === 0) return;
    this.#scheduled = true;
    const step = (): void => {
      this.#scheduled = false;
      this.#painted = this.painter.now();
      this.paints += 1;
      const numbers = this.#dirty;
      this.#dirty = new Set();
      for (const n of numbers) for (const listener of this.#listeners.get(n) ?? []) listener(n);
    };
    this.painter.request(step, Math.max(0, this.#painted + PAINT_MS - this.painter.now()));
  }
}
