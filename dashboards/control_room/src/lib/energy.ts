// Statements of energy as the API gives them, and what pages work out of them. Pure.
import { number } from './format';
import type { Name } from './types';

export const PERIODS = ['peak', 'half_peak', 'saturday', 'off_peak'] as const;
export type PeriodId = (typeof PERIODS)[number];

export interface Factor { year: number; factor_year: number; kg_per_kwh: number; source: string; note: string; provisional: boolean }
export interface DayUse { day: string; kwh: number | null; periods: Partial<Record<PeriodId, number>>; peak_kw: number | null; missing: number }
export interface BillLine { kind: 'basic' | 'energy' | 'excess'; season: string; period: PeriodId; quantity: number; price: number; amount: number }
export interface Bill {
  total: number; basic: number; energy: number; excess: number; adjustment: number; subtotal: number; coefficient: number;
  power_factor_percent: number | null; kwh: number; highest: { period: PeriodId; kw: number }[]; lines: BillLine[];
  tables: { id: string; source: string; checked_until: string; note: string }[]; unchecked: boolean; complete: boolean;
}
export interface Statement {
  kind: 'day' | 'month'; first: string; start: string; end: string; until: string; over: boolean;
  kwh: number | null; unplaced_kwh: number; windows: number; missing: number; quality: number | null; whole: boolean; resets: number;
  periods: { period: PeriodId; kwh: number }[]; peak: { kw: number; start: string } | null;
  contract: { kind: string; regular_kw: number; half_peak_kw: number; saturday_kw: number; off_peak_kw: number; note: string } | null;
  days: DayUse[]; load: { start: string; kw: number | null }[];
  before: { id: string; kwh: number | null; whole: boolean }[];
  uses: { id: string; name: Name; kwh: number | null; whole: boolean }[];
  carbon: { kg: number; factors: Factor[] } | null; bill: Bill | null;
}
export interface Baseline {
  refusal: 'few_days' | 'no_cooling' | null; days: number; needed: number | null;
  model: { first: string; last: string; change_point: number; fitted: number; held_out: number; cvrmse: number; nmbe: number; most_cvrmse: number; most_nmbe: number; good: boolean } | null;
  against: { days: number; measured_kwh: number; expected_kwh: number; saved_kwh: number; beyond: number } | null;
}

/** A share as per cent, cut and not rounded up: what is not all is never shown as 100. */
export function percent(share: number, decimals = 1): string {
  const cut = share < 1 ? Math.min(share, 1 - 10 ** -(decimals + 2)) : share;
  return `${number(cut * 100, decimals)}\u00a0%`;
}

/** How much more than before, as a share; null where one of the two is not known as a whole. */
export function change(now: { kwh: number | null; whole: boolean }, before: { kwh: number | null; whole: boolean }): number | null {
  if (!now.whole || !before.whole || now.kwh === null || before.kwh === null || before.kwh <= 0) return null;
  return (now.kwh - before.kwh) / before.kwh;
}

/** What the end uses leave of the whole; null unless everything is known. */
export function rest(statement: Statement): number | null {
  if (statement.kwh === null || !statement.whole || statement.uses.length === 0) return null;
  let left = statement.kwh;
  for (const use of statement.uses) {
    if (use.kwh === null || !use.whole) return null;
    left -= use.kwh;
  }
  return left;
}

/** The next of 1, 2, 5, 10, … times a power of ten that is not less: steps of an axis. */
export function roundStep(wanted: number): number {
  let size = 1;
  while (size * 10 < wanted) size *= 10;
  return [1, 2, 5, 10].map((times) => times * size).find((step) => step >= wanted) ?? 10 * size;
}

/** Ticks from 0 to above `highest`. */
export function ticks(highest: number, wanted = 4): number[] {
  if (!(highest > 0)) return [0, 1];
  const step = roundStep(highest / wanted);
  const count = Math.floor(highest / step) + 1;
  return Array.from({ length: count + 1 }, (_, i) => i * step);
}

/** How many days a month has, by its first: 28 to 31. */
export function lastDay(first: string): number {
  const [year = 0, month = 1] = first.split('-').map(Number);
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** The first days of this month and the months before, newest first: `2026-11-01`. */
export function months(today: string, count: number): string[] {
  const [year = 0, month = 1] = today.split('-').map(Number);
  return Array.from({ length: count }, (_, i) => {
    const at = year * 12 + (month - 1) - i;
    return `${Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, '0')}-01`;
  });
}
