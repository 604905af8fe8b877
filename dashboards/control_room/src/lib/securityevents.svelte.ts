// What doors, zones, buttons, calls and recorders report: the last hundred, newest first, kept by the stream.
import { api } from './api';
import { live } from './live.svelte';
import { sites } from './site.svelte';
import { doorOf, SYSTEMS } from './security';
import type { Equipment, Page } from './types';

export interface SecurityEvent {
  id: number | null; source: string; key: string; type: string; time: string | null; received: string | null; late: boolean;
  data: Record<string, string | number | boolean | null>;
}
const MOST = 100;

export class SecurityEvents {
  list = $state.raw<SecurityEvent[]>([]);
  paused = $state(false);
  #waiting: SecurityEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #devices = new Map<string, Equipment>();

  /** Learn which device belongs to what; call when the points of the systems are there. */
  async learn(): Promise<void> {
    for (const system of SYSTEMS) {
      for (const point of await sites.points({ system })) {
        const equipment = sites.equipment(point.equipment);
        if (equipment) this.#devices.set(point.device, equipment);
      }
    }
  }

  async load(): Promise<void> {
    await this.learn();
    const page = await api.get<Page<SecurityEvent>>('/events', { limit: 200 });
    this.list = page.items.filter((e) => this.#devices.has(e.source)).slice(0, MOST);
  }

  /** Receive until the returned function is called. */
  follow(): () => void {
    const release = live.stream.subscribe('events');
    // One message a turn of the controller, the newest event first.
    const off = live.on('events', (message) => {
      const fresh = (message.items as SecurityEvent[]).filter((e) => this.#devices.has(e.source));
      if (fresh.length === 0) return;
      this.#waiting = [...fresh, ...this.#waiting].slice(0, MOST);
      // At most four times a second, however many come.
      this.#timer ??= setTimeout(() => this.#paint(), 250);
    });
    return () => {
      release();
      off();
      if (this.#timer) clearTimeout(this.#timer);
      this.#timer = null;
    };
  }

  #paint(): void {
    this.#timer = null;
    if (this.paused) return;
    const known = new Set(this.list.map((e) => `${e.source}|${e.key}`));
    const fresh = this.#waiting.filter((e) => !known.has(`${e.source}|${e.key}`));
    this.#waiting = [];
    if (fresh.length > 0) this.list = [...fresh, ...this.list].slice(0, MOST);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  pause(on: boolean): void {
    this.paused = on;
    if (!on) this.#paint();
  }

  /** Where it happened: the door of a card event, the camera of a recorder's, else the device's own equipment. */
  place(event: SecurityEvent): Equipment | undefined {
    const camera = event.data.after_camera;
    if (typeof camera === 'string') return this.#devices.get(camera) ?? this.#devices.get(event.source);
    return doorOf(event.data, sites.bySystem('access')) ?? this.#devices.get(event.source);
  }
}
