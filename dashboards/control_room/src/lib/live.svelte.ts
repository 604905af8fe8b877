// Present values for components: joins the stream and the store to Svelte. A component reads `live.cell(n).value`; while
// it is mounted the store calls it back at most four times a second, and stops when it goes.
import { createSubscriber } from 'svelte/reactivity';
import { Stream, type Connection, type Message, type SocketLike } from './stream';
import { ValueStore } from './store';
import { seen } from './quality';

const SKEW_MS = 2_000;

export class Cell {
  #subscribe: () => void;
  constructor(
    private readonly store: ValueStore,
    readonly number: number,
  ) {
    this.#subscribe = createSubscriber((update) => store.watch(number, update));
  }
  get value(): number {
    this.#subscribe();
    return this.number < this.store.value.length ? (this.store.value[this.number] as number) : Number.NaN;
  }
  get quality(): number {
    this.#subscribe();
    return this.number < this.store.quality.length ? (this.store.quality[this.number] as number) : 255;
  }
  /** Source time by the server's clock, ms. */
  get time(): number {
    this.#subscribe();
    return this.number < this.store.time.length ? (this.store.time[this.number] as number) : Number.NaN;
  }
}

export class Live {
  connection = $state<Connection>('connecting');
  /** Server time, ms, moved each second; goes on while the connection is lost. */
  now = $state(Date.now());
  /** Age of the newest message, s. */
  silent = $state(0);
  /** Server time of the newest message. */
  lastTime = $state(Number.NaN);
  /** Server clock minus station clock when they differ by more than 2 s, else 0; ms. */
  skew = $state(0);
  generation = $state(0);
  version = $state('');
  /** Length of the last loss in s, shown when the connection is back; 0 = nothing to say. */
  recovered = $state(0);

  readonly store: ValueStore;
  readonly stream: Stream;
  #cells = new Map<number, Cell>();
  #handlers = new Map<string, Set<(message: Message) => void>>();
  #lostAt = Number.NaN;
  #interval: ReturnType<typeof setInterval> | null = null;
  onUnauthorized: () => void = () => undefined;

  constructor() {
    this.store = new ValueStore({
      now: () => performance.now(),
      request: (callback, delay) => {
        if (delay > 0) setTimeout(() => requestAnimationFrame(callback), delay);
        else requestAnimationFrame(callback);
      },
    });
    this.stream = new Stream({
      open: () =>
        new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/stream`, ['shifu.v1']) as unknown as SocketLike,
      now: () => performance.now(),
      random: () => Math.random(),
      later: (callback, ms) => setTimeout(callback, ms),
      cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
      onFrame: (frame) => this.store.apply(frame),
      onForget: (numbers) => {
        for (const n of numbers) this.store.forget(n);
      },
      onMessage: (message) => this.#message(message),
      onClose: (code) => {
        this.tick();
        if (code === 4401 || code === 1008 || code === 4403) this.onUnauthorized();
      },
    });
  }

  get lost(): boolean {
    return this.connection === 'lost';
  }

  /** True when a command may be sent. */
  get commandable(): boolean {
    return this.connection === 'live' || this.connection === 'delayed';
  }

  quality(raw: number): number {
    return seen(raw, this.connection === 'lost');
  }

  cell(n: number): Cell {
    let cell = this.#cells.get(n);
    if (!cell) {
      cell = new Cell(this.store, n);
      this.#cells.set(n, cell);
    }
    return cell;
  }

  on(type: string, handler: (message: Message) => void): () => void {
    const set = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, set.add(handler));
    return () => set.delete(handler);
  }

  start(): void {
    if (this.#interval !== null) return;
    this.stream.start();
    this.#interval = setInterval(() => this.tick(), 1000);
    addEventListener('online', this.#hurry);
    document.addEventListener('visibilitychange', this.#hurry);
    this.tick();
  }

  stop(): void {
    if (this.#interval === null) return;
    clearInterval(this.#interval);
    this.#interval = null;
    removeEventListener('online', this.#hurry);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.stream.stop();
  }

  #hurry = (): void => {
    if (!document.hidden) this.stream.hurry();
    this.tick();
  };

  #message(message: Message): void {
    if (message.type === 'hello' || message.type === 'heartbeat') {
      if (typeof message.generation === 'number') this.generation = message.generation;
      if (typeof message.version === 'string') this.version = message.version;
      if (message.type === 'hello') this.tick();
    }
    for (const handler of this.#handlers.get(message.type) ?? []) handler(message);
    // Events come in batches; whoever waits for single ones gets each, the oldest first.
    const each = message.type === 'events' ? this.#handlers.get('event') : undefined;
    if (each && each.size > 0) for (const item of [...(message.items as unknown[])].reverse()) for (const handler of each) handler({ type: 'event', item });
  }

  tick(): void {
    const monotonic = performance.now();
    this.stream.watch();
    const state = this.stream.state();
    if (state === 'lost' && this.connection !== 'lost') {
      this.#lostAt = Number.isFinite(this.stream.last) ? this.stream.last : monotonic;
      this.recovered = 0;
    } else if (state !== 'lost' && this.connection === 'lost' && Number.isFinite(this.#lostAt)) {
      this.recovered = Math.max(1, Math.round((monotonic - this.#lostAt) / 1000));
      setTimeout(() => (this.recovered = 0), 10_000);
    }
    this.connection = state;
    this.silent = Number.isFinite(this.stream.last) ? Math.max(0, (monotonic - this.stream.last) / 1000) : 0;
    if (Number.isFinite(this.stream.offset)) {
      this.now = monotonic + this.stream.offset;
      this.lastTime = this.stream.last + this.stream.offset;
      const skew = this.now - Date.now();
      this.skew = Math.abs(skew) > SKEW_MS ? skew : 0;
    } else this.now = Date.now();
  }
}

export const live = new Live();
