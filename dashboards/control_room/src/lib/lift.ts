// What a lift is doing, from its points; nothing that is not known is told as normal.
import { name, t } from './i18n';
import { isBad } from './quality';
import { sites } from './site.svelte';

export interface Lift {
  known: boolean;
  /** Somebody is trapped; null when it cannot be known. */
  trapped: boolean | null;
  called: boolean | null;
  /** Number of the floor, basements below zero; NaN when unknown. */
  floor: number;
  floorWord: string;
  direction: 'up' | 'down' | 'none';
  door: number;
  doorWord: string;
  load: number;
  mode: number;
  modeWord: string;
}

function state(address: string, tag: string): number {
  const quality = sites.quality(address, tag);
  const value = sites.value(address, tag);
  return quality === 255 || quality === 64 || isBad(quality) ? Number.NaN : Math.round(value);
}

function words(address: string, tag: string, value: number): string {
  const found = sites.tag(address, tag)?.states.find((s) => s.value === value);
  return found ? name(found.name) : t('state.unknown');
}

const truth = (value: number): boolean | null => (Number.isFinite(value) ? value >= 1 : null);

export function lift(address: string): Lift {
  const floor = state(address, 'position');
  const door = state(address, 'door');
  const mode = state(address, 'mode');
  const way = state(address, 'direction');
  const load = state(address, 'load');
  return {
    known: Number.isFinite(floor) && Number.isFinite(mode),
    trapped: truth(state(address, 'entrapment')),
    called: truth(state(address, 'passenger_alarm')),
    floor,
    floorWord: Number.isFinite(floor) ? (floor < 0 ? `B${-floor}` : `${floor}F`) : '—',
    direction: way === 1 ? 'up' : way === 2 ? 'down' : 'none',
    door,
    doorWord: words(address, 'door', door),
    load,
    mode,
    modeWord: words(address, 'mode', mode),
  };
}

/** Numbers of the floors of a building without its roof, from the top. */
export function landings(building: string): number[] {
  const floors = sites.site?.buildings.find((b) => b.id === building)?.floors ?? [];
  return floors.filter((f) => f.id !== 'RF').map((f) => f.index).sort((a, b) => b - a);
}
