// What a warden counts, kept on the phone first and sent when there is a network. Each tick has a key of its own under
// which it is stored and sent, so that two tabs, a second sending or a phone that dies in between neither lose nor double it.
import type { Board, Person, Status } from './drill';
import type { Store } from './phonestore';
import type { Name } from './types';

export type Kind = 'person' | 'headcount' | 'swept' | 'report';
export interface Tick {
  key: string; kind: Kind; at: number; area: string; floor: string; person?: string; status?: Status; count?: number; assembly?: string; note?: string;
}
export interface Answer { kept: string[]; refused: { key: string; reason: string }[]; offset_ms: number; phase: string; late: string[] }
/** A tick of one drill on this phone; with a reason it was refused and is not sent again. */
export interface Held { user: string; drill: string; tick: Tick; reason?: string }

const TICKS = 'tick/';
const KEPT = 'drill/';
/** Ticks of one message; the server takes 500. */
export const BATCH = 200;

/** Sixteen random bytes as a key. */
export function newKey(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  return [...random(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

function isHeld(value: unknown): value is Held {
  const held = value as Held | null;
  return typeof held === 'object' && held !== null && typeof held.user === 'string' && typeof held.drill === 'string' && typeof held.tick?.key === 'string' && typeof held.tick.at === 'number';
}

/** The ticks on this phone, of everybody who counted with it; what is asked for is of one of them. */
export class Ticks {
  #held = new Map<string, Held>();

  constructor(
    private readonly store: Store,
    readonly user: string,
  ) {}

  /** Read the store again: another tab may have written. */
  async read(): Promise<void> {
    this.#held = new Map((await this.store.all(TICKS)).filter((row): row is [string, Held] => isHeld(row[1])));
  }

  #mine(refused: boolean): Held[] {
    return [...this.#held.values()]
      .filter((held) => held.user === this.user && (held.reason !== undefined) === refused)
      .sort((a, b) => a.tick.at - b.tick.at || a.tick.key.localeCompare(b.tick.key));
  }

  /** Keep a tick; throws when the phone cannot. It is shown only when it is kept. */
  async add(drill: string, tick: Tick): Promise<void> {
    const held: Held = { user: this.user, drill, tick };
    await this.store.change([[TICKS + tick.key, held]]);
    this.#held.set(TICKS + tick.key, held);
  }

  /** What is not sent yet, oldest first; of one drill or of all. */
  waiting(drill?: string): Held[] {
    return this.#mine(false).filter((held) => drill === undefined || held.drill === drill);
  }

  /** What the server refused; shown until it is put away. */
  refused(): Held[] {
    return this.#mine(true);
  }

  /** How many ticks of somebody else wait on this phone. */
  others(): number {
    return [...this.#held.values()].filter((held) => held.user !== this.user && held.reason === undefined).length;
  }

  /** The server has answered: what is durable there is forgotten here, what is refused is put aside with its reason. */
  async settle(answer: Pick<Answer, 'kept' | 'refused'>): Promise<void> {
    const gone = answer.kept.map((key) => TICKS + key).filter((key) => this.#held.has(key));
    const aside: [string, Held][] = [];
    for (const { key, reason } of answer.refused) {
      const held = this.#held.get(TICKS + key);
      if (held) aside.push([TICKS + key, { ...held, reason }]);
    }
    await this.store.change(aside, gone);
    for (const key of gone) this.#held.delete(key);
    for (const [key, held] of aside) this.#held.set(key, held);
  }

  async putAway(key: string): Promise<void> {
    await this.store.change([], [TICKS + key]);
    this.#held.delete(TICKS + key);
  }
}

/** How many ticks wait on this phone, whoever counted them. */
export async function waitingHere(store: Store): Promise<number> {
  return (await store.all(TICKS)).filter(([, held]) => isHeld(held) && held.reason === undefined).length;
}

/** What the phone needs to go on without a network: the drill, its people, zones, and names of places. */
export interface Kept {
  drill: string; title: Name; phase: string; started: string | null; end: string | null; ended: string | null; cause: string | null; board: Board;
  zones: { floor: string; area: string }[]; assembly: { id: string; name: Name }[]; areas: Record<string, Name>; doors: Record<string, Name>; saved: number;
}

export async function keep(store: Store, user: string, kept: Kept): Promise<void> {
  await store.change([[`${KEPT}last`, { user, kept }]]);
}

/** What was kept last, and for whom. */
export async function kept(store: Store): Promise<{ user: string; kept: Kept } | null> {
  const found = (await store.all(KEPT))[0]?.[1] as { user: string; kept: Kept } | undefined;
  return found?.kept?.board ? found : null;
}

/** Forget the people of a drill that is over, or of somebody who signs out; ticks that wait stay. */
export async function forget(store: Store): Promise<void> {
  await store.change([], [`${KEPT}last`]);
}

let sending = false;

/**
 * Do what one page of this phone does at a time: two tabs, or a page that is shown anew when the network is back, would
 * both send what waits. Null when somebody else is at it.
 */
export async function alone<T>(work: () => Promise<T>): Promise<T | null> {
  if (sending) return null;
  sending = true;
  try {
    const locks = (navigator as { locks?: LockManager }).locks;
    if (!locks) return await work();
    return await locks.request('shifu.warden', { ifAvailable: true }, (lock) => (lock ? work() : Promise.resolve(null)));
  } finally {
    sending = false;
  }
}

export interface Synced { sent: number; late: number; stuck: string[] }

/**
 * Send what waits, oldest first, drill by drill, until nothing does; throws what the network says.
 * A drill that the server does not take ticks of any more keeps those of others from nothing.
 */
export async function sync(
  ticks: Ticks,
  send: (drill: string, body: { sent: number; ticks: Tick[] }) => Promise<Answer>,
  now: () => number,
  gone: (error: unknown) => boolean,
): Promise<Synced> {
  const result: Synced = { sent: 0, late: 0, stuck: [] };
  for (const drill of new Set(ticks.waiting().map((held) => held.drill))) {
    try {
      for (let waiting = ticks.waiting(drill); waiting.length > 0; waiting = ticks.waiting(drill)) {
        const batch = waiting.slice(0, BATCH).map((held) => held.tick);
        const answer = await send(drill, { sent: now(), ticks: batch });
        await ticks.settle(answer);
        result.late += answer.late.length;
        const left = new Set(ticks.waiting(drill).map((held) => held.tick.key));
        const settled = batch.filter((tick) => !left.has(tick.key)).length;
        if (settled === 0) break; // an answer that names none of them: not again and again
        result.sent += settled;
      }
    } catch (error) {
      if (!gone(error)) throw error;
      result.stuck.push(drill);
    }
  }
  return result;
}

/** The people of a zone as the warden sees them: what the server knows, and over it what was said on this phone. */
export function people(board: Board, waiting: Tick[], floor: string, area: string, endedAt: number | null = null): Person[] {
  const mine = new Map<string, Tick>();
  for (const tick of waiting) if (tick.kind === 'person' && tick.person) mine.set(tick.person, tick);
  const late = (tick: Tick): boolean => endedAt !== null && tick.at > endedAt;
  const known = board.people.filter((p) => p.floor === floor && p.area === area).map((p): Person => {
    const tick = mine.get(p.person);
    return tick ? { ...p, status: tick.status ?? null, at: new Date(tick.at).toISOString(), who: '', note: tick.note ?? '', conflict: [], late: late(tick) } : p;
  });
  for (const tick of mine.values()) {
    if (tick.floor !== floor || tick.area !== area || known.some((p) => p.person === tick.person)) continue;
    known.push({ person: tick.person ?? '', area, floor, door: '', seen: null, status: tick.status ?? null, who: '', at: new Date(tick.at).toISOString(), assembly: '', note: tick.note ?? '', conflict: [], expected: false, late: late(tick) });
  }
  return known.sort((a, b) => Number(a.status === 'accounted') - Number(b.status === 'accounted') || a.person.localeCompare(b.person));
}
