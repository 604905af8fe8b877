// The fire panel as the pages show it. It is only read: nothing here writes.
import { floorIndex } from './format';
import { isBad } from './quality';
import { sites } from './site.svelte';
import type { Equipment, FireZone } from './types';

export const WINGS = ['west', 'southwest', 'north', 'east'] as const;
export type ZoneState = 'normal' | 'pre-alarm' | 'fire' | 'fault' | 'disabled' | 'test' | 'unknown';
/** Which outputs are of one kind, by the beginning of their tags on each floor. */
export const KINDS = ['fire_door', 'smoke_damper', 'smoke_fan', 'pressurisation', 'door_release', 'ahu_stop'] as const;

function known(address: string, tag: string): number {
  const quality = sites.quality(address, tag);
  return quality === 255 || quality === 64 || isBad(quality) ? Number.NaN : Math.round(sites.value(address, tag));
}

/** A zone as the controller judges it; isolated and under test are told apart from what is not known for other reasons. */
export function zoneState(zone: FireZone, lost: boolean): ZoneState {
  if (zone.status === 'fire') return 'fire';
  if (lost) return 'unknown';
  if (zone.reason === 'isolated') return 'disabled';
  if (zone.reason === 'walk_test') return 'test';
  return zone.status === 'pre_alarm' ? 'pre-alarm' : zone.status;
}

export interface Answer { done: number; total: number; missing: number }

/** How many of these outputs have moved; those that cannot be read are missing, not at rest. */
export function answers(points: readonly [address: string, tag: string][]): Answer {
  let done = 0;
  let missing = 0;
  for (const [address, tag] of points) {
    const value = known(address, tag);
    if (!Number.isFinite(value)) missing += 1;
    else if (value >= 1) done += 1;
  }
  return { done, total: points.length, missing };
}

/** Outputs of one kind on some floors. */
export function outputs(floors: readonly Equipment[], kind: string): [string, string][] {
  return floors.flatMap((floor) => sites.ofEquipment(floor.address).map((p) => p.address.slice(floor.address.length + 1)).filter((tag) => tag === kind || tag.startsWith(`${kind}_`)).map((tag): [string, string] => [floor.address, tag]));
}

export const floorsOf = (zones: readonly Equipment[]): string[] => [...new Set(zones.map((z) => z.floor))].sort((a, b) => floorIndex(b) - floorIndex(a));
