import { beforeEach, describe, expect, it } from 'vitest';
import type { Frame } from '../../src/lib/frame';
import { PAINT_MS, ValueStore } from '../../src/lib/store';

class FakePainter {
  clock = 10_000;
  queue: { at: number; run: () => void }[] = [];
  now = (): number => this.clock;
  request = (run: () => void, delay: number): void => void this.queue.push({ at: this.clock + delay, run });
  move(ms: number): void {
    this.clock += ms;
    const due = this.queue.filter((q) => q.at <= this.clock);
    this.queue = this.queue.filter((q) => q.at > this.clock);
    for (const q of due) q.run();
  }
}

const frame = (numbers: number[], values: number[], time = 50_000, age = 1, quality = 0): Frame => ({
  sequence: 1, time, count: numbers.length, snapshot: false, topic: 1,
  value: Float64Array.from(values), number: Uint32Array.from(numbers), age: Float32Array.from(numbers, () => age), quality: Uint8Array.from(numbers, () => quality),
});

let painter: FakePainter;
let store: ValueStore;
beforeEach(() => {
  painter = new FakePainter();
  store = new ValueStore(painter);
});

describe('ValueStore', () => {
  it('keeps value, quality and source time by number', () => {
    store.apply(frame([7], [21.5], 50_000, 2.5, 64));

    expect(store.value[7]).toBe(21.5);
    expect(store.quality[7]).toBe(64);
    expect(store.time[7]).toBe(47_500);
  });
  it('says of a number that never came that it is not loaded', () => {
    expect(store.quality[9]).toBe(255);
    expect(store.value[9]).toBeNaN();
  });
  it('grows for high numbers and keeps what it has', () => {
    store.apply(frame([3], [1]));
    store.apply(frame([100_000], [2]));

    expect(store.value[3]).toBe(1);
    expect(store.value[100_000]).toBe(2);
    expect(store.quality[99_999]).toBe(255);
  });
  it('calls a listener once a paint however many frames came', () => {
    let calls = 0;
    store.watch(7, () => (calls += 1));
    store.apply(frame([7], [1]));
    store.apply(frame([7], [2]));
    painter.move(0);
    expect(calls).toBe(1);

    store.apply(frame([7], [3]));
    painter.move(PAINT_MS - 1);
    expect(calls).toBe(1);
    painter.move(1);
    expect(calls).toBe(2);
  });
  it('paints at most four times a second', () => {
    store.watch(1, () => undefined);
    for (let i = 0; i < 40; i += 1) {
      store.apply(frame([1], [i]));
      painter.move(25);
    }
    expect(store.paints).toBeLessThanOrEqual(4);
    expect(store.paints).toBeGreaterThanOrEqual(3);
  });
  it('does nothing for numbers that nobody watches', () => {
    store.apply(frame([1, 2, 3], [1, 2, 3]));
    expect(painter.queue).toHaveLength(0);
  });
  it('stops calling when a listener leaves, and forgets it', () => {
    let calls = 0;
    const leave = store.watch(7, () => (calls += 1));
    store.apply(frame([7], [1]));
    leave();
    painter.move(1000);

    expect(calls).toBe(0);
    expect(store.watched).toBe(0);
  });
  it('forgets a value that is no longer delivered: it must not look live later', () => {
    store.apply(frame([7], [1]));
    store.forget(7);
    expect(store.quality[7]).toBe(255);
    expect(store.value[7]).toBeNaN();
  });
});
