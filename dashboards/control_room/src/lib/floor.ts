// What a room shows of one quantity: the first point that it has of it, how far it is from comfort, and to which side.
// By tags, not by classes: whatever stands on a floor and measures shows itself.
// Comfort: set-point ± 1.5 K, or 20 to 28 °C without one (ISO 7730 category B begins at 20 °C in winter; government offices
// in Taiwan cool to 26 to 28 °C, 政府機關及學校用電效率管理計畫); 30 to 70 % RH (ISO 7730, 4.2). Limits of the air: lib/iaq.ts.
import { UNCOMFORTABLE_K } from './comfort';
import { ACT } from './iaq';
import type { Equipment, Point } from './types';

export const MEASURES = ['temperature', 'humidity', 'co2', 'pm25', 'people', 'equipment'] as const;
export type Measure = (typeof MEASURES)[number];

const TAGS: Record<Measure, string[]> = {
  temperature: ['zone_temp', 'room_temp', 'temperature'],
  humidity: ['zone_humidity', 'humidity', 'return_humidity'],
  co2: ['zone_co2', 'co2', 'return_co2'],
  pm25: ['pm25'],
  people: ['people', 'people_count', 'occupants', 'occupancy', 'occupied'],
  // What a machine is asked first: what it does, then how much.
  equipment: [
    'zone_temp', 'state', 'status', 'run', 'fan_run', 'power', 'load', 'temperature', 'winding_temp_max', 'chw_supply_temp', 'speed', 'position', 'lock', 'door_position',
    'occupied', 'co', 'co2', 'flow', 'volume', 'alarm', 'online',
  ],
};
const SETPOINTS = ['zone_temp_sp', 'room_temp_sp'];
const limit = (id: string): number => ACT.find((row) => row.id === id)?.limit ?? Number.POSITIVE_INFINITY;
const BANDS: Partial<Record<Measure, [number, number]>> = { temperature: [20, 28], humidity: [30, 70], co2: [0, limit('co2')], pm25: [0, limit('pm25')] };

/** How pages look points up; given, so that this stays pure. */
export interface Lookup { tag: (equipment: string, tag: string) => Point | undefined; points: (equipment: string) => Point[] }

/** The point of an equipment that shows the quantity; for machines always one, if it has any. */
export function pointFor(look: Lookup, equipment: string, measure: Measure): Point | undefined {
  for (const tag of TAGS[measure]) {
    const point = look.tag(equipment, tag);
    if (point) return point;
  }
  if (measure !== 'equipment') return undefined;
  const all = look.points(equipment);
  return all.find((p) => p.kind === 'multistate') ?? all.find((p) => p.kind === 'analog') ?? all[0];
}

/** The set-point that a room's temperature is held to, where it has one of its own. */
export function setpointFor(look: Lookup, equipment: string): Point | undefined {
  return SETPOINTS.map((tag) => look.tag(equipment, tag)).find((p) => p !== undefined);
}

export interface Deviation { /** Signed, in the point's unit; 0 inside of the band. */ by: number; /** 1 = at the limit. */ weight: number; side: -1 | 0 | 1 }

/** How far a value is from comfort; NaN weight where it is not known, 0 where nobody set a band. */
export function deviation(measure: Measure, value: number, setpoint = Number.NaN): Deviation {
  if (!Number.isFinite(value)) return { by: Number.NaN, weight: Number.NaN, side: 0 };
  if (measure === 'temperature' && Number.isFinite(setpoint)) {
    const by = value - setpoint;
    return { by, weight: Math.abs(by) / UNCOMFORTABLE_K, side: by > UNCOMFORTABLE_K ? 1 : by < -UNCOMFORTABLE_K ? -1 : 0 };
  }
  const band = BANDS[measure];
  if (!band) return { by: 0, weight: 0, side: 0 };
  const [low, high] = band;
  if (low === 0) return { by: Math.max(0, value - high), weight: value / high, side: value > high ? 1 : 0 };
  const middle = (low + high) / 2;
  const weight = Math.abs(value - middle) / (high - middle);
  return { by: value > high ? value - high : value < low ? value - low : 0, weight, side: value > high ? 1 : value < low ? -1 : 0 };
}

/** Steps of the one-hue ramp of the heat map, 0 to 5, over the comfort band and as much again above it. */
export function heatStep(measure: Measure, value: number): number {
  const band = BANDS[measure];
  if (!band || !Number.isFinite(value)) return -1;
  const low = band[0];
  const span = (band[1] - low) * 1.5;
  return Math.max(0, Math.min(5, Math.floor(((value - low) / span) * 6)));
}

/** Points whose trend says most of an equipment, at most three. */
export function mainPoints(points: Point[]): Point[] {
  const order = [
    'zone_temp', 'zone_temp_sp', 'return_co2', 'load_factor', 'winding_temp_max', 'load', 'cop', 'chw_supply_temp', 'chw_return_temp', 'temperature', 'co2', 'pm25', 'power', 'speed',
    'state_of_charge', 'flow', 'volume', 'co', 'position', 'occupied', 'state', 'status', 'run',
  ];
  const word = (p: Point): string => p.address.split('.')[3] ?? '';
  const found = order.flatMap((tag) => points.filter((p) => word(p) === tag)).slice(0, 3);
  return found.length > 0 ? found : points.filter((p) => p.kind === 'analog').slice(0, 2).concat(points.filter((p) => p.kind !== 'analog')).slice(0, 2);
}

/** Equipment that runs: it has a fan or a machine that can be told to. */
export const runTag = (look: Lookup, e: Equipment): string | undefined => ['fan_run', 'run'].find((tag) => look.tag(e.address, tag) !== undefined);
