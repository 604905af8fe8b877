// The live list of events: the newest ones, bounded, with a count of what is not shown. Pure, so that ten thousand
// events a second can be tried without a browser.
import type { Name } from './types';

export interface DeviceEvent {
  id: number | null; source: string; key: string; type: string; time: string | null; received: string | null; late: boolean;
  data: Record<string, string | number | boolean | null>; equipment: string; area: string; floor: string;
}
export interface EventFilter { q: string; type: string; source: string; equipment: string; area: string; floor: string }

export const NO_FILTER: EventFilter = { q: '', type: '', source: '', equipment: '', area: '', floor: '' };
/** Rows of the live list. */
export const MOST = 500;

export const eventKey = (event: DeviceEvent): string => `${event.source}\u0000${event.key}`;

/** The same rules as the server's, for events that arrive while the page is open. */
export function fits(event: DeviceEvent, filter: EventFilter, name: (equipment: string) => Name | undefined): boolean {
  if (filter.type && event.type !== filter.type) return false;
  if (filter.source && event.source !== filter.source) return false;
  if (filter.equipment && event.equipment !== filter.equipment) return false;
  if (filter.area && event.area !== filter.area) return false;
  if (filter.floor && event.floor !== filter.floor) return false;
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const named = name(event.equipment);
  const text = `${event.type} ${event.source} ${JSON.stringify(event.data)} ${named?.zh ?? ''} ${named?.en ?? ''} ${event.equipment}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

export class EventWindow {
  /** Newest first. */
  items: DeviceEvent[] = [];
  /** New events that came while the list was held. */
  waiting = 0;
  /** Events that the stream counted and did not send, or that fell out of the list, since it was loaded. */
  hidden = 0;
  #held: DeviceEvent[] = [];
  #keys = new Set<string>();

  /** Begin with a page of the journal, newest first. */
  load(items: DeviceEvent[]): void {
    this.items = items.slice(0, MOST);
    this.#keys = new Set(this.items.map(eventKey));
    this.#held = [];
    this.waiting = 0;
    this.hidden = 0;
  }

  /** Older ones of the journal, behind what is there; they are not cut. */
  more(items: DeviceEvent[]): void {
    const fresh = items.filter((event) => !this.#keys.has(eventKey(event)));
    for (const event of fresh) this.#keys.add(eventKey(event));
    this.items = [...this.items, ...fresh];
  }

  /** Take a batch of the stream, newest first. While `held` nothing on the screen moves. */
  take(batch: DeviceEvent[], leftOut: number, held: boolean): void {
    const fresh = batch.filter((event) => !this.#keys.has(eventKey(event)));
    for (const event of fresh) this.#keys.add(eventKey(event));
    this.hidden += leftOut;
    if (held) {
      this.waiting += fresh.length + leftOut;
      this.#held = [...fresh, ...this.#held];
      this.#drop(this.#held);
    } else if (fresh.length > 0) {
      this.items = [...fresh, ...this.items];
      this.#drop(this.items);
    }
  }

  /** Show what came while the list was held. */
  release(): void {
    this.items = [...this.#held, ...this.items];
    this.#held = [];
    this.waiting = 0;
    this.#drop(this.items);
  }

  #drop(list: DeviceEvent[]): void {
    for (const event of list.splice(MOST)) {
      this.#keys.delete(eventKey(event));
      this.hidden += 1;
    }
  }
}

/** What an event carries, in a few words; `word` has the name of a key and of a value, or gives it back as it is. */
export function said(event: DeviceEvent, word: (kind: 'data' | 'value', of: string) => string): string {
  return Object.entries(event.data)
    .map(([key, value]) => `${word('data', key)} ${word('value', `${key}.${value}`).replace(`${key}.`, '')}`)
    .join(' · ');
}
