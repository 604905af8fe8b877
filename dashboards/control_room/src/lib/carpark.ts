// The car park: levels, zones, stages of the gases. Stages by EN 50545-1: CO 30 / 60 ppm and NO2 3 / 6 ppm as means of
// 15 minutes, CO 150 ppm and NO2 15 ppm as means of one minute.
import type { Equipment } from './types';

export const GASES = ['co', 'no2'] as const;
export type Gas = (typeof GASES)[number];
export const STAGES: Record<Gas, readonly [number, number, number]> = { co: [30, 60, 150], no2: [3, 6, 15] };

/** The stage that is reached, 0 to 3; NaN where one of the means is not known and the other does not say it. */
export function stage(gas: Gas, mean: number, minute: number): number {
  const [first, second, third] = STAGES[gas];
  if (minute >= third) return 3;
  if (mean >= second) return 2;
  if (mean >= first) return 1;
  return Number.isFinite(mean) ? 0 : Number.NaN;
}

export interface Zone { floor: string; zone: number; gas?: Equipment; fan?: Equipment }

/** Zones level by level from the top, each with its detector and its fan. */
export function zones(equipment: Equipment[]): [string, Zone[]][] {
  const found = new Map<string, Map<number, Zone>>();
  for (const e of equipment) {
    if (e.cls !== 'gas_detector' && e.cls !== 'exhaust_fan') continue;
    const number = Number(e.parameters.zone);
    if (!Number.isFinite(number)) continue;
    const level = found.get(e.floor) ?? new Map<number, Zone>();
    const zone = level.get(number) ?? { floor: e.floor, zone: number };
    if (e.cls === 'gas_detector') zone.gas = e;
    else zone.fan = e;
    found.set(e.floor, level.set(number, zone));
  }
  return [...found].sort(([a], [b]) => a.localeCompare(b)).map(([floor, level]) => [floor, [...level.values()].sort((a, b) => a.zone - b.zone)]);
}

/** Who has the fan: somebody on site, a person, a program, the schedule, or its own automatic, which looks at the gas heads. */
export type Mode = 'site' | 'manual' | 'program' | 'schedule' | 'own' | 'unknown';
export function mode(remote: boolean | null, winners: (number | null | undefined)[]): Mode {
  if (remote === false) return 'site';
  const held = winners.filter((w): w is number => typeof w === 'number' && w > 0);
  if (held.some((w) => w <= 8)) return 'manual';
  if (held.length > 0) return Math.min(...held) === 15 ? 'schedule' : 'program';
  return winners.some((w) => w === undefined) ? 'unknown' : 'own';
}
