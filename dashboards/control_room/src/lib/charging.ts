// Chargers and the cars at them, and the plan for them, as the API tells them. Pure.
import type { Name } from './types';

export interface Vehicle { id: string; plate: string; unit: string; battery_kwh: number; max_kw: number; departure: string; rfid?: string }

export const STATE = { free: 0, connected: 1, charging: 2, paused: 3, full: 4, fault: 5, unavailable: 6 } as const;

/** The official car of a number (the digits at the end of its id) or of a charging card. */
export function vehicleOf(list: Vehicle[], number: number, card: number): Vehicle | undefined {
  if (number > 0) return list.find((v) => Number(/\d+$/.exec(v.id)?.[0]) === number);
  return card > 0 ? list.find((v) => v.rfid && Number.parseInt(v.rfid, 16) === card) : undefined;
}

const OFFSET_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;

/** When it leaves, in words: the hour, with the day where that is not within a day. */
export function leaving(at: number, now: number): string {
  const text = new Date(at + OFFSET_MS).toISOString();
  const hour = text.slice(11, 16);
  return at - now < DAY_MS ? hour : `${text.slice(5, 7)}/${text.slice(8, 10)} ${hour}`;
}

// -- the car at a charger, as the strategy has it: the verdict is the plan's own -----------------------------------------

/** `none`: nobody is there. `unknown`: no plan says anything of this session. */
export type Verdict = 'none' | 'in_time' | 'short' | 'stopped' | 'unknown';
export type Instruction = 'first' | 'later' | 'stop';
export interface Declared { departure: string | null; kwh: number | null; full: boolean; instruction: Instruction | null; until: string | null; owner: string; reason: string; time: string | null }
export interface ChargingSession {
  charger: string; state: string; plugged: boolean | null; verdict: Verdict; since: string | null; delivered_kwh: number | null;
  wanted_kwh: number | null; wanted_of: 'declared' | 'measured' | 'assumed' | null; leaves: string | null;
  leaves_of: 'declared' | 'listed' | 'assumed' | null; who: Rank | null; rank: Rank | null; vehicle: string;
  short_kwh: number | null; why: Name | null; declared: Declared | null;
}

/** What takes the instruction back and leaves the departure and the energy as they were declared. */
export function undone(said: Declared, reason: string): Omit<Declared, 'owner' | 'time'> {
  return { departure: said.departure, kwh: said.kwh, full: said.full, instruction: null, until: null, reason };
}

// -- the plan beside what was drawn, as the API tells it ----------------------------------------------------------------

export type Rank = 'first' | 'fleet' | 'priority' | 'staff' | 'visitor';
export interface PlannedCar {
  charger: string; rank: Rank; wanted_kwh: number; leaves: string | null; short_kwh: number; hopeless_kwh: number; power_kw: number[];
}
export interface PlanStep { begin: string; end: string; planned_kw: number; room_kw: number; others_kw: number | null; price: number | null }
export interface Quarter { begin: string; planned_kw: number; actual_kw: number; room_kw: number }
export interface ChargingPlan {
  time: string; steps: PlanStep[]; cars: PlannedCar[]; cost: number | null; method: 'optimal' | 'stopped' | 'rounded'; gap_percent: number | null; relaxed: string[];
}
export interface Charging {
  configured: boolean; mode: 'run' | 'dry_run' | 'off' | null; state: string | null; why: Name | null; sessions: ChargingSession[];
  past: Quarter[]; plan: ChargingPlan | null;
}

/** A missing energy that is worth a word, kWh. */
export const SHORT_KWH = 0.5;

/** Points of a step line, each value held until the next begins; [time ms, kW], gaps as NaN. */
export type Steps = [number, number][];

/** What is planned of one charger, or of all, from the past quarters and the plan in force. */
export function planned(charging: Charging, charger: string): Steps {
  const found: Steps = [];
  const plan = charging.plan;
  const now = plan ? Date.parse(plan.time) : Infinity;
  if (!charger) for (const q of charging.past) if (Date.parse(q.begin) < now) found.push([Date.parse(q.begin), q.planned_kw]);
  if (!plan) return found;
  const car = plan.cars.find((c) => c.charger === charger);
  plan.steps.forEach((step, at) => found.push([Date.parse(step.begin), charger ? (car?.power_kw[at] ?? 0) : step.planned_kw]));
  const last = plan.steps[plan.steps.length - 1];
  if (last) found.push([Date.parse(last.end), 0]);
  return found;
}

/** Spans of one price: [begin ms, end ms, NT$/kWh]; none without a tariff. */
export function priceSpans(steps: PlanStep[]): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (const step of steps) {
    const last = found[found.length - 1];
    if (step.price === null) continue;
    if (last && last[2] === step.price) last[1] = Date.parse(step.end);
    else found.push([Date.parse(step.begin), Date.parse(step.end), step.price]);
  }
  return found;
}

/** When a car of the plan begins to charge, ms; NaN when it never does, and the plan's beginning when it does now. */
export function begins(plan: ChargingPlan, car: PlannedCar): number {
  const at = car.power_kw.findIndex((kw) => kw > 0);
  return at < 0 ? Number.NaN : Date.parse(plan.steps[at]?.begin ?? '');
}
