import { beforeEach, describe, expect, it } from 'vitest';
import { backoff, DELAYED_MS, LINGER_MS, LOST_MS, Stream, type Message, type SocketLike } from '../../src/lib/stream';
import type { Frame } from '../../src/lib/frame';

class FakeSocket implements SocketLike {
  binaryType = '';
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  sent: { subscribe?: string[]; unsubscribe?: string[] }[] = [];
  closed = false;
  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }
  close(): void {
    this.closed = true;
  }
  open(): void {
    this.onopen?.(undefined as never);
    this.say({ type: 'hello', generation: 1, time: 1_000_000, version: '1' });
  }
  say(message: Message): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  frame(topic: number, sequence: number, snapshot: boolean, numbers: number[]): void {
    const buffer = new ArrayBuffer(24 + numbers.length * 17);
    const view = new DataView(buffer);
    view.setUint32(0, 0x31554653, true);
    view.setUint32(4, sequence, true);
    view.setFloat64(8, 1_000_000, true);
    view.setUint32(16, numbers.length, true);
    view.setUint32(20, topic * 65536 + (snapshot ? 1 : 0), true);
    numbers.forEach((n, i) => view.setUint32(24 + numbers.length * 8 + i * 4, n, true));
    this.onmessage?.({ data: buffer });
  }
}

let clock: number;
let sockets: FakeSocket[];
let timers: { at: number; run: () => void; dead: boolean }[];
let frames: Frame[];
let forgotten: number[];
let stream: Stream;
const last = (): FakeSocket => sockets[sockets.length - 1] as FakeSocket;
function move(ms: number): void {
  clock += ms;
  for (const timer of timers.filter((x) => x.at <= clock && !x.dead)) {
    timer.dead = true;
    timer.run();
  }
}

beforeEach(() => {
  clock = 0;
  sockets = [];
  timers = [];
  frames = [];
  forgotten = [];
  stream = new Stream({
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    now: () => clock,
    random: () => 0.5,
    later: (run, ms) => {
      const timer = { at: clock + ms, run, dead: false };
      timers.push(timer);
      return timer;
    },
    cancel: (timer) => {
      if (timer) (timer as { dead: boolean }).dead = true;
    },
    onFrame: (frame) => frames.push(frame),
    onMessage: () => undefined,
    onForget: (numbers) => forgotten.push(...numbers),
    onClose: () => undefined,
  });
});

describe('subscriptions', () => {
  it('are sent once when the socket opens, and counted', () => {
    stream.start();
    stream.subscribe('alarms');
    const first = stream.subscribe('system:plant');
    stream.subscribe('system:plant');
    last().open();
    expect(last().sent).toEqual([{ subscribe: ['alarms', 'system:plant'] }]);

    first();
    move(LINGER_MS);
    expect(stream.topics).toContain('system:plant');
  });
  it('linger while pages change, then are given back with their numbers', () => {
    stream.start();
    last().open();
    const release = stream.subscribe('system:plant');
    last().say({ type: 'subscribed', topic: 'system:plant', id: 3 });
    last().frame(3, 1, true, [4, 5]);
    release();
    move(LINGER_MS - 1);
    expect(last().sent.at(-1)).toEqual({ subscribe: ['system:plant'] });
    move(1);

    expect(last().sent.at(-1)).toEqual({ unsubscribe: ['system:plant'] });
    expect(forgotten).toEqual([4, 5]);
  });
  it('keep numbers that another topic still delivers', () => {
    stream.start();
    last().open();
    const release = stream.subscribe('system:plant');
    stream.subscribe('point:a');
    last().say({ type: 'subscribed', topic: 'system:plant', id: 3 });
    last().say({ type: 'subscribed', topic: 'point:a', id: 4 });
    last().frame(3, 1, true, [4, 5]);
    last().frame(4, 1, true, [5]);
    release();
    move(LINGER_MS);
    expect(forgotten).toEqual([4]);
  });
});

describe('sequence', () => {
  beforeEach(() => {
    stream.start();
    last().open();
    stream.subscribe('system:plant');
    last().say({ type: 'subscribed', topic: 'system:plant', id: 3 });
    last().frame(3, 1, true, [4]);
  });
  it('in order is handed on', () => {
    last().frame(3, 2, false, [4]);
    expect(frames.map((f) => f.sequence)).toEqual([1, 2]);
  });
  it('with a gap asks for a new snapshot and guesses nothing', () => {
    last().frame(3, 3, false, [4]);
    expect(frames).toHaveLength(1);
    expect(stream.gaps).toBe(1);
    expect(last().sent.slice(-2)).toEqual([{ unsubscribe: ['system:plant'] }, { subscribe: ['system:plant'] }]);

    last().say({ type: 'subscribed', topic: 'system:plant', id: 9 });
    last().frame(9, 1, true, [4]);
    expect(frames).toHaveLength(2);
  });
  it('of a topic that is not ours is dropped', () => {
    last().frame(8, 1, true, [4]);
    expect(frames).toHaveLength(1);
  });
});

describe('connection', () => {
  it('is connecting, live, delayed, lost', () => {
    stream.start();
    expect(stream.state()).toBe('connecting');
    last().open();
    expect(stream.state()).toBe('live');
    clock += DELAYED_MS;
    expect(stream.state()).toBe('delayed');
    clock += LOST_MS - DELAYED_MS;
    expect(stream.state()).toBe('lost');
    last().say({ type: 'heartbeat', time: 1, generation: 1 });
    expect(stream.state()).toBe('live');
  });
  it('is lost at once when the socket closes, and tried again with growing waits', () => {
    stream.start();
    last().open();
    last().onclose?.({ code: 1006 });
    expect(stream.state()).toBe('lost');
    expect(sockets).toHaveLength(1);
    move(500);
    expect(sockets).toHaveLength(2);
    last().onclose?.({ code: 1006 });
    move(999);
    expect(sockets).toHaveLength(2);
    move(1);
    expect(sockets).toHaveLength(3);
  });
  it('that is open and silent for 10 s is closed by the watchdog', () => {
    stream.start();
    last().open();
    clock += LOST_MS + 1;
    stream.watch();
    expect(sockets[0]?.closed).toBe(true);
    move(500);
    expect(sockets).toHaveLength(2);
  });
  it('subscribes again to everything after it came back, and sends nothing else', () => {
    stream.start();
    last().open();
    stream.subscribe('alarms');
    last().onclose?.({ code: 1006 });
    stream.subscribe('commands');
    move(500);
    last().open();
    expect(last().sent).toEqual([{ subscribe: ['alarms', 'commands'] }]);
  });
  it('hurries when the network is back, and stops when told', () => {
    stream.start();
    last().open();
    last().onclose?.({ code: 1006 });
    stream.hurry();
    expect(sockets).toHaveLength(2);
    stream.stop();
    move(60_000);
    expect(sockets).toHaveLength(2);
  });
});

it('backs off to 15 s at most, with jitter', () => {
  expect([0, 1, 2, 3, 4, 5, 9].map((n) => backoff(n, 0.5))).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  expect(backoff(0, 0)).toBe(400);
  expect(backoff(0, 1)).toBeCloseTo(600);
});
