// Chargers and the cars at them: what is known, what is still wanted, and whether there is time for it. Pure.

/** Amperes of three phases at 380 V to kW. */
export const KW_A = (Math.sqrt(3) * 380) / 1000;

export interface Vehicle { id: string; plate: string; unit: string; battery_kwh: number; max_kw: number; departure: string; rfid?: string }

export const STATE = { free: 0, connected: 1, charging: 2, paused: 3, full: 4, fault: 5, unavailable: 6 } as const;

/** The official car of a number (the digits at the end of its id) or of a charging card. */
export function vehicleOf(list: Vehicle[], number: number, card: number): Vehicle | undefined {
  if (number > 0) return list.find((v) => Number(/\d+$/.exec(v.id)?.[0]) === number);
  return card > 0 ? list.find((v) => v.rfid && Number.parseInt(v.rfid, 16) === card) : undefined;
}

/** Energy that a car may still want, kWh: exact where its charge is known, else at most what its battery holds. */
export function wanted(vehicle: Vehicle | undefined, session: number, soc: number): number {
  if (!vehicle) return Number.NaN;
  if (soc > 0) return vehicle.battery_kwh * (1 - Math.min(soc, 100) / 100);
  return Math.max(0, vehicle.battery_kwh - (Number.isFinite(session) ? session : 0));
}

const OFFSET_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;

/** The next working day's departure after `now` (Taipei), ms; NaN without a fixed time. */
export function departs(vehicle: Vehicle | undefined, now: number): number {
  const match = /^(\d{1,2}):(\d{2})$/.exec(vehicle?.departure ?? '');
  if (!match) return Number.NaN;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  const midnight = Math.floor((now + OFFSET_MS) / DAY_MS) * DAY_MS - OFFSET_MS;
  for (let day = 0; day < 8; day += 1) {
    const at = midnight + day * DAY_MS + minutes * 60_000;
    const weekday = new Date(at + OFFSET_MS).getUTCDay();
    if (at > now && weekday > 0 && weekday < 6) return at;
  }
  return Number.NaN;
}

/** When it leaves, in words: the hour, with the day where that is not within a day. */
export function leaving(at: number, now: number): string {
  const text = new Date(at + OFFSET_MS).toISOString();
  const hour = text.slice(11, 16);
  return at - now < DAY_MS ? hour : `${text.slice(5, 7)}/${text.slice(8, 10)} ${hour}`;
}

export type Verdict = 'in-time' | 'at-risk' | 'unknown' | 'none';

/**
 * Whether the car will be full when it leaves, at the limit that is in effect now. `none`: there is no time to keep, or
 * nothing to charge.
 */
export function verdict(state: number, vehicle: Vehicle | undefined, kwh: number, limitKw: number, leaves: number, now: number): Verdict {
  if (!vehicle || !Number.isFinite(leaves) || state === STATE.free) return 'none';
  if (state === STATE.full) return 'in-time';
  if (state === STATE.fault || state === STATE.unavailable) return 'at-risk';
  if (!Number.isFinite(kwh) || !Number.isFinite(limitKw) || !Number.isFinite(state)) return 'unknown';
  return kwh <= (Math.min(limitKw, vehicle.max_kw) * (leaves - now)) / 3_600_000 ? 'in-time' : 'at-risk';
}

// -- the plan beside what was drawn, as the API tells it ----------------------------------------------------------------

export type Rank = 'fleet' | 'priority' | 'staff' | 'visitor';
export interface PlannedCar {
  charger: string; rank: Rank; wanted_kwh: number; leaves: string | null; short_kwh: number; hopeless_kwh: number; power_kw: number[];
}
export interface PlanStep { begin: string; end: string; planned_kw: number; room_kw: number; others_kw: number | null; price: number | null }
export interface Quarter { begin: string; planned_kw: number; actual_kw: number; room_kw: number }
export interface ChargingPlan {
  time: string; steps: PlanStep[]; cars: PlannedCar[]; cost: number | null; method: 'optimal' | 'stopped' | 'rounded'; gap_percent: number | null; relaxed: string[];
}
export interface Charging { configured: boolean; past: Quarter[]; plan: ChargingPlan | null }

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
