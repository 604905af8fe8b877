// Devices by the stream; subscribed while a page looks at them.
import { live } from './live.svelte';
import type { Device } from './types';

const RANK: Record<string, number> = { lost: 0, refused: 1, starting: 2, good: 4, disabled: 5 };

/** Answers that failed, of all polls; 0..1. */
export const errorRate = (d: Device): number => (d.polls > 0 ? Math.min(1, d.errors / d.polls) : 0);

export function worstDevice(a: Device, b: Device): number {
  return (RANK[a.state] ?? 3) - (RANK[b.state] ?? 3) || errorRate(b) - errorRate(a) || a.id.localeCompare(b.id, 'en', { numeric: true });
}

class DevicesState {
  list = $state.raw<Device[]>([]);
  loaded = $state(false);
  #byId = new Map<string, Device>();
  #pending = false;

  constructor() {
    live.on('devices', (message) => {
      this.set(message.items as Device[]);
    });
    live.on('device', (message) => {
      const device = message.item as Device;
      this.#byId.set(device.id, device);
      this.#paint();
    });
  }
  set(items: Device[]): void {
    this.#byId = new Map(items.map((d) => [d.id, d]));
    this.loaded = true;
    this.#paint();
  }
  #paint(): void {
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => {
      this.#pending = false;
      this.list = [...this.#byId.values()].sort(worstDevice);
    }, 250);
  }
  get(id: string): Device | undefined {
    return this.list.find((d) => d.id === id);
  }
}

export const devices = new DevicesState();
