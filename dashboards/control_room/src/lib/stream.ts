// The one WebSocket: topics with reference counts, reconnection with back-off, a watchdog on the heartbeat, and a new
// snapshot when a sequence has a gap. Sends nothing but subscriptions: a command typed before a loss is never sent after it.
import { decodeFrame, FrameError, type Frame } from './frame';

export interface SocketLike {
  binaryType: string;
  readyState: number;
  onopen: ((event: never) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

export type Connection = 'connecting' | 'live' | 'delayed' | 'lost';
export type Message = { type: string; [key: string]: unknown };

export interface StreamOptions {
  open: () => SocketLike;
  /** Monotonic ms. */
  now: () => number;
  random: () => number;
  later: (callback: () => void, ms: number) => unknown;
  cancel: (timer: unknown) => void;
  onFrame: (frame: Frame) => void;
  onMessage: (message: Message) => void;
  /** Numbers that no topic delivers any more. */
  onForget: (numbers: Iterable<number>) => void;
  onClose: (code: number) => void;
}

export const DELAYED_MS = 3_000;
export const LOST_MS = 10_000;
/** A topic outlives its last page by this, so that moving between pages does not fetch the snapshot again. */
export const LINGER_MS = 1_500;

interface Topic {
  refs: number;
  id: number | null;
  sequence: number;
  numbers: Set<number>;
  linger: unknown;
}

/** Wait before attempt `n` (from 0), ms: 0.5, 1, 2, 4, 8, 15 s with ±20 % jitter. */
export function backoff(attempt: number, random: number): number {
  return Math.min(15_000, 500 * 2 ** attempt) * (0.8 + 0.4 * random);
}

export class Stream {
  #socket: SocketLike | null = null;
  #topics = new Map<string, Topic>();
  #byId = new Map<number, string>();
  #attempt = 0;
  #retry: unknown = null;
  #stopped = true;
  #opened = false;
  /** Monotonic ms of the last message; -Infinity before the first. */
  last = -Infinity;
  /** Server time minus monotonic time, ms. */
  offset = Number.NaN;
  everLive = false;
  gaps = 0;

  constructor(private readonly options: StreamOptions) {}

  start(): void {
    this.#stopped = false;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.options.cancel(this.#retry);
    this.#retry = null;
    this.#drop();
  }

  /** Try at once: the browser says that the network is back, or the page is looked at again. */
  hurry(): void {
    if (this.#stopped || this.#opened) return;
    this.options.cancel(this.#retry);
    this.#retry = null;
    this.#attempt = 0;
    this.#drop();
    this.#connect();
  }

  /** Receive a topic until the returned function is called. */
  subscribe(name: string): () => void {
    let topic = this.#topics.get(name);
    if (!topic) {
      topic = { refs: 0, id: null, sequence: 0, numbers: new Set(), linger: null };
      this.#topics.set(name, topic);
      if (this.#opened) this.#send({ subscribe: [name] });
    }
    const held = topic;
    held.refs += 1;
    this.options.cancel(held.linger);
    held.linger = null;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      held.refs -= 1;
      if (held.refs === 0) held.linger = this.options.later(() => this.#remove(name), LINGER_MS);
    };
  }

  get topics(): string[] {
    return [...this.#topics.keys()];
  }

  /** State of the picture now. */
  state(): Connection {
    if (!this.everLive) return this.#attempt > 1 ? 'lost' : 'connecting';
    if (!this.#opened) return 'lost';
    const silent = this.options.now() - this.last;
    return silent < DELAYED_MS ? 'live' : silent < LOST_MS ? 'delayed' : 'lost';
  }

  /** Called each second: a socket that is open and silent for 10 s is closed and tried anew. */
  watch(): void {
    if (this.#opened && this.options.now() - this.last > LOST_MS) {
      this.#drop();
      this.#again();
    }
  }

  #connect(): void {
    const socket = this.options.open();
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#opened = true;
      this.last = this.options.now();
      for (const topic of this.#topics.values()) {
        topic.id = null;
        topic.sequence = 0;
      }
      this.#byId.clear();
      if (this.#topics.size > 0) this.#send({ subscribe: [...this.#topics.keys()] });
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = () => undefined;
    socket.onclose = (event) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#opened = false;
      this.options.onClose(event.code);
      this.#again();
    };
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#opened = false;
    if (socket) {
      socket.onclose = null;
      socket.onmessage = null;
      socket.onopen = null;
      socket.close();
    }
  }

  #again(): void {
    if (this.#stopped || this.#retry !== null) return;
    this.#retry = this.options.later(() => {
      this.#retry = null;
      this.#connect();
    }, backoff(this.#attempt, this.options.random()));
    this.#attempt += 1;
  }

  #send(message: unknown): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #remove(name: string): void {
    const topic = this.#topics.get(name);
    if (!topic || topic.refs > 0) return;
    this.#topics.delete(name);
    if (topic.id !== null) this.#byId.delete(topic.id);
    if (this.#opened) this.#send({ unsubscribe: [name] });
    const gone: number[] = [];
    const others = [...this.#topics.values()];
    for (const n of topic.numbers) if (!others.some((other) => other.numbers.has(n))) gone.push(n);
    this.options.onForget(gone);
  }

  #receive(data: unknown): void {
    this.last = this.options.now();
    if (data instanceof ArrayBuffer) {
      this.#frame(data);
      return;
    }
    if (typeof data !== 'string') return;
    const message = JSON.parse(data) as Message;
    if (typeof message.time === 'number') this.offset = message.time - this.last;
    if (message.type === 'hello') {
      this.everLive = true;
      this.#attempt = 0;
    } else if (message.type === 'subscribed') {
      const topic = this.#topics.get(message.topic as string);
      if (topic) {
        if (topic.id !== null) this.#byId.delete(topic.id);
        topic.id = message.id as number;
        topic.sequence = 0;
        this.#byId.set(topic.id, message.topic as string);
      }
    }
    this.options.onMessage(message);
  }

  #frame(buffer: ArrayBuffer): void {
    let frame: Frame;
    try {
      frame = decodeFrame(buffer);
    } catch (error) {
      if (error instanceof FrameError) {
        this.gaps += 1;
        return;
      }
      throw error;
    }
    this.offset = frame.time - this.last;
    const name = this.#byId.get(frame.topic);
    const topic = name === undefined ? undefined : this.#topics.get(name);
    if (name === undefined || !topic) return; // a frame that crossed our unsubscribe
    if (!frame.snapshot && frame.sequence !== topic.sequence + 1) {
      this.gaps += 1;
      this.#byId.delete(frame.topic);
      topic.id = null;
      this.#send({ unsubscribe: [name] });
      this.#send({ subscribe: [name] });
      return;
    }
    topic.sequence = frame.sequence;
    if (frame.snapshot || topic.numbers.size === 0) for (let i = 0; i < frame.count; i += 1) topic.numbers.add(frame.number[i] as number);
    this.options.onFrame(frame);
  }
}
