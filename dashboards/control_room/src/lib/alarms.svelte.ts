// Active alarms, kept by the stream; batches of changes are shown at most four times a second.
import { api } from './api';
import { name, t } from './i18n';
import { live } from './live.svelte';
import { sayAlert, sayStatus } from './say';
import type { Alarm } from './types';

export const needsAcknowledge = (a: Alarm): boolean => a.state === 'unacknowledged' || a.state === 'returned' || a.state === 'latched_unacknowledged';
export const isActive = (a: Alarm): boolean => a.state === 'unacknowledged' || a.state === 'acknowledged';

/** Life safety, unacknowledged, priority, newest first: the worst stays on top. */
export function worstFirst(a: Alarm, b: Alarm): number {
  return (
    Number(b.life_safety) - Number(a.life_safety) ||
    Number(needsAcknowledge(b)) - Number(needsAcknowledge(a)) ||
    a.priority - b.priority ||
    (b.raised_at ?? '').localeCompare(a.raised_at ?? '') ||
    a.id.localeCompare(b.id)
  );
}

/** Not in the active list: over, put aside, or of equipment that is out of service. */
const HIDDEN = ['normal', 'shelved', 'suppressed', 'out_of_service'];

class AlarmsState {
  list = $state.raw<Alarm[]>([]);
  loaded = $state(false);
  #byId = new Map<string, Alarm>();
  #pending = false;

  counts = $derived.by(() => {
    const counts: [number, number, number, number] = [0, 0, 0, 0];
    for (const a of this.list) counts[a.priority - 1] = (counts[a.priority - 1] ?? 0) + 1;
    return counts;
  });
  unacknowledged = $derived(this.list.filter(needsAcknowledge).length);
  worst = $derived(this.list.find(needsAcknowledge) ?? this.list[0] ?? null);

  constructor() {
    live.on('alarms', (message) => {
      this.#byId = new Map((message.items as Alarm[]).filter((a) => !HIDDEN.includes(a.state)).map((a) => [a.id, a]));
      this.loaded = true;
      this.#paint();
    });
    live.on('alarm', (message) => {
      const alarm = message.item as Alarm;
      const before = this.#byId.get(alarm.id);
      if (HIDDEN.includes(alarm.state)) this.#byId.delete(alarm.id);
      else this.#byId.set(alarm.id, alarm);
      const fresh = alarm.state === 'unacknowledged' && (!before || before.occurrence !== alarm.occurrence);
      if (fresh && (alarm.life_safety || alarm.priority === 1)) {
        sayAlert(t('alarm.say', { text: name(alarm.text), place: alarm.floor, count: [...this.#byId.values()].filter(needsAcknowledge).length }));
      } else if (fresh && alarm.priority === 2) sayStatus(t('alarm.say.new', { text: name(alarm.text) }));
      this.#paint();
    });
  }

  #paint(): void {
    if (this.#pending) return;
    this.#pending = true;
    setTimeout(() => {
      this.#pending = false;
      this.list = [...this.#byId.values()].sort(worstFirst);
    }, 100);
  }

  of(filter: (alarm: Alarm) => boolean): Alarm[] {
    return this.list.filter(filter);
  }

  /** Worst alarm of an equipment, or null. */
  ofEquipment(address: string): Alarm | null {
    return this.list.find((a) => a.equipment === address) ?? null;
  }
  ofPoint(address: string): Alarm | null {
    return this.list.find((a) => a.point === address) ?? null;
  }
  ofSystem(system: string): Alarm | null {
    return this.list.find((a) => a.system === system) ?? null;
  }

  async acknowledge(ids: string[], comment = ''): Promise<void> {
    await api.post('/alarms/acknowledge', { ids, comment });
    sayStatus(t('alarm.acknowledged.n', { count: ids.length }));
  }
}

export const alarms = new AlarmsState();
