// City Hall's air-conditioning as a person sees it: floors × wings, each with its air handler, rooms and worst alarm.
import { airHandler, fanCoil } from './ahu';
import { reason, roomReason, type Reason } from './comfort';
import { floorIndex } from './format';
import type { Alarm, Equipment } from './types';

export const WINGS = ['west', 'southwest', 'east', 'north'] as const;
export type Wing = (typeof WINGS)[number];

export interface Place { e: Equipment; deviation: number; why: Reason; running: boolean | null }

/** What an air handler or a fan coil does to its place (reactive while mounted). */
export function place(e: Equipment): Place {
  if (e.cls === 'fcu') {
    const coil = fanCoil(e.address);
    return { e, deviation: coil.deviation, why: roomReason(coil), running: Number.isFinite(coil.speed) ? coil.speed > 0 : null };
  }
  const air = airHandler(e.address);
  return { e, deviation: air.deviation, why: reason(air), running: air.fan };
}

export const cellKey = (floor: string, wing: string): string => `${floor}|${wing}`;

/** Equipment by floor and wing. */
export function cells(equipment: Equipment[]): Map<string, Equipment[]> {
  const map = new Map<string, Equipment[]>();
  for (const e of equipment) {
    if (!e.wing) continue;
    const list = map.get(cellKey(e.floor, e.wing)) ?? [];
    list.push(e);
    map.set(cellKey(e.floor, e.wing), list);
  }
  return map;
}

/** The first alarm of a list, which is sorted worst first, that is about one of these. */
export function worstOf(list: Alarm[], equipment: Iterable<Equipment>): Alarm | null {
  const mine = new Set([...equipment].map((e) => e.address));
  return list.find((a) => mine.has(a.equipment)) ?? null;
}

/** Uncomfortable first, then the farthest from its set-point. */
export function worstPlace(a: Place, b: Place): number {
  return (
    Number(b.why.uncomfortable) - Number(a.why.uncomfortable) ||
    Number(b.why.word !== '') - Number(a.why.word !== '') ||
    (Math.abs(b.deviation) || 0) - (Math.abs(a.deviation) || 0) ||
    floorIndex(b.e.floor) - floorIndex(a.e.floor) ||
    a.e.address.localeCompare(b.e.address)
  );
}
