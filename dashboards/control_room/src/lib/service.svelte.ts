// What is out of service or in use now, for every page: fetched when somebody looks, and again when the controller says
// that a calendar changed.
import { api } from './api';
import type { Calendar, InUse, Out } from './calendar';
import { live } from './live.svelte';

class ServiceState {
  calendar = $state.raw<Calendar | null>(null);
  #out = $derived(new Map<string, Out>((this.calendar?.out_of_service ?? []).map((one) => [one.equipment, one])));
  #used = $derived(new Map<string, InUse>((this.calendar?.in_use ?? []).map((one) => [one.equipment, one])));
  #watchers = 0;
  #stop: (() => void) | null = null;

  out(equipment: string): Out | undefined {
    return this.#out.get(equipment);
  }
  inUse(equipment: string): InUse | undefined {
    return this.#used.get(equipment);
  }

  async load(): Promise<Calendar> {
    const calendar = await api.get<Calendar>('/calendar');
    this.calendar = calendar;
    return calendar;
  }

  /** Keep up to date until the returned function is called. */
  watch(): () => void {
    this.#watchers += 1;
    if (this.#watchers === 1) {
      const again = (): void => void this.load().catch(() => undefined);
      const release = live.stream.subscribe('calendar');
      const off = live.on('calendar', again);
      // After a loss of the connection something may have been missed.
      const back = live.on('hello', again);
      again();
      this.#stop = () => {
        release();
        off();
        back();
      };
    }
    return () => {
      this.#watchers -= 1;
      if (this.#watchers === 0) {
        this.#stop?.();
        this.#stop = null;
      }
    };
  }
}

export const service = new ServiceState();
