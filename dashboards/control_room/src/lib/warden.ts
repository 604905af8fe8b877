// What a warden counts, kept on the phone first and sent when there is a network. Each tick has a key of its own under
// which it is stored and sent, so that two tabs, a second sending or a phone that dies in between neither lose nor double it.
import type { Board, Person, Status } from './drill';

export type Kind = 'person' | 'headcount' | 'swept' | 'report';
export interface Tick {
  key: string; kind: Kind; at: number; area: string; floor: string; person?: string; status?: Status; count?: number; assembly?: string; note?: string;
}
export interface Answer { kept: string[]; refused: { key: string; reason: string }[]; offset_ms: number }
export interface Refused { tick: Tick; reason: string }
/** The part of localStorage that is used. */
export interface Store { getItem(key: string): string | null; setItem(key: string, value: string): void; removeItem(key: string): void; key(index: number): string | null; readonly length: number }

const PREFIX = 'shifu.warden.';
/** Ticks of one message; the server takes 500. */
export const BATCH = 200;

function parse<T>(text: string | null): T | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}

/** Sixteen random bytes as a key. */
export function newKey(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes)): string {
  return [...random(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/** The ticks of one person's phone for one drill. */
export class Ticks {
  readonly #base: string;
  constructor(
    private readonly store: Store,
    user: string,
    drill: string,
  ) {
    this.#base = `${PREFIX}${user}.${drill}.`;
  }

  #all<T>(part: string): T[] {
    const prefix = `${this.#base}${part}.`;
    const found: T[] = [];
    for (let i = 0; i < this.store.length; i += 1) {
      const key = this.store.key(i);
      const value = key?.startsWith(prefix) ? parse<T>(this.store.getItem(key)) : null;
      if (value) found.push(value);
    }
    return found;
  }

  /** Keep a tick; throws when the phone cannot. It is shown only when it is kept. */
  add(tick: Tick): void {
    this.store.setItem(`${this.#base}wait.${tick.key}`, JSON.stringify(tick));
  }

  /** What is not sent yet, oldest first. */
  waiting(): Tick[] {
    return this.#all<Tick>('wait').sort((a, b) => a.at - b.at || a.key.localeCompare(b.key));
  }

  /** What the server refused; shown until it is put away. */
  refused(): Refused[] {
    return this.#all<Refused>('no').sort((a, b) => a.tick.at - b.tick.at);
  }

  /** The server has answered: what is durable there is forgotten here, what is refused is put aside with its reason. */
  settle(answer: Answer): void {
    for (const key of answer.kept) this.store.removeItem(`${this.#base}wait.${key}`);
    for (const { key, reason } of answer.refused) {
      const tick = parse<Tick>(this.store.getItem(`${this.#base}wait.${key}`));
      if (!tick) continue;
      this.store.setItem(`${this.#base}no.${key}`, JSON.stringify({ tick, reason }));
      this.store.removeItem(`${this.#base}wait.${key}`);
    }
  }

  putAway(key: string): void {
    this.store.removeItem(`${this.#base}no.${key}`);
  }
}

/** What the phone needs to go on without a network: the drill, its people, and names of places. */
export interface Kept { drill: string; title: { zh: string; en: string }; phase: string; started: string | null; end: string | null; board: Board; assembly: { id: string; name: { zh: string; en: string } }[]; areas: Record<string, { zh: string; en: string }>; saved: number }

export function keep(store: Store, user: string, kept: Kept): void {
  store.setItem(`${PREFIX}kept`, JSON.stringify({ user, kept }));
}

/** What was kept last, and for whom. */
export function kept(store: Store): { user: string; kept: Kept } | null {
  return parse(store.getItem(`${PREFIX}kept`));
}

/** Forget the people of a drill that is over; ticks that wait stay. */
export function forget(store: Store): void {
  store.removeItem(`${PREFIX}kept`);
}

/** Send what waits, batch by batch, until nothing does; throws what the network or the server says. */
export async function sync(ticks: Ticks, send: (body: { sent: number; ticks: Tick[] }) => Promise<Answer>, now: () => number): Promise<number> {
  let sent = 0;
  for (let waiting = ticks.waiting(); waiting.length > 0; waiting = ticks.waiting()) {
    const batch = waiting.slice(0, BATCH);
    const answer = await send({ sent: now(), ticks: batch });
    ticks.settle(answer);
    const gone = batch.length - ticks.waiting().filter((t) => batch.some((b) => b.key === t.key)).length;
    if (gone === 0) break; // an answer that names none of them: not again and again
    sent += gone;
  }
  return sent;
}

/** The people of a zone as the warden sees them: what the server knows, and over it what was said on this phone. */
export function people(board: Board, waiting: Tick[], floor: string, area: string): Person[] {
  const mine = new Map<string, Tick>();
  for (const tick of waiting) if (tick.kind === 'person' && tick.person) mine.set(tick.person, tick);
  const known = board.people.filter((p) => p.floor === floor && p.area === area).map((p): Person => {
    const tick = mine.get(p.person);
    return tick ? { ...p, status: tick.status ?? null, at: new Date(tick.at).toISOString(), note: tick.note ?? '', conflict: [] } : p;
  });
  for (const tick of mine.values()) {
    if (tick.floor !== floor || tick.area !== area || known.some((p) => p.person === tick.person)) continue;
    known.push({ person: tick.person ?? '', area, floor, door: '', seen: null, status: tick.status ?? null, who: '', at: new Date(tick.at).toISOString(), assembly: '', note: tick.note ?? '', conflict: [], expected: false });
  }
  return known.sort((a, b) => Number(a.status === 'accounted') - Number(b.status === 'accounted') || a.person.localeCompare(b.person));
}
