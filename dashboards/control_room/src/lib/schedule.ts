// Schedules as the API gives them, and what their page makes of them. Pure: time and words are given.
import type { Change } from './calendar';
import type { Name } from './types';

export const DAY_TYPES = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun', 'holiday', 'makeup'] as const;
export type DayType = (typeof DAY_TYPES)[number];
export interface Cause { kind: 'exception' | 'booking' | 'holiday' | 'makeup' | 'pattern' | 'default' | 'disabled'; id: string; name: Name }
export interface Mode { id: string; name: Name; values: Record<string, number> }
export interface Span { days: DayType[]; from: string; to: string; mode: string }
export interface BookingMode { mode: string; lead_min: number; lag_min: number }
export interface Plan {
  id: string; name: Name; areas: string[]; equipment: string[]; tags: string[]; modes: Mode[]; weekly: Span[]; default: string;
  booking: BookingMode | null; stagger_s: number; enabled: boolean;
  now: { mode: string; cause: Cause; since: string | null; until: string | null };
  next: { at: string; mode: string; cause: Cause } | null;
  different: { equipment: string; mode: string; cause: Cause | null }[];
  points: { wanted: number; effective: number; masked: number; refused: number };
  change: Change | null;
}
export interface Special {
  id: string; title: Name; schedules: string[]; patterns: string[]; from: string; to: string; mode: string; start: string; end: string;
  day: DayType | ''; phase: 'planned' | 'on' | 'over'; change: Change | null;
}
export interface OfficeDay { date: string; type: DayType; name: Name; workday: boolean; added: boolean; published: boolean }
export interface Schedules { time: string; today: OfficeDay; special: OfficeDay[]; plans: Plan[]; exceptions: Special[] }
export interface Interval { start: string; end: string; mode: string; cause: Cause }
export interface Booked { start: string; end: string; mode: string; booking: string; title: Name; equipment: string[] }
export interface Line { plan: string; intervals: Interval[]; bookings: Booked[] }
export interface Preview { start: string; end: string; days: OfficeDay[]; lines: Line[] }

/** A part of a strip, as shares of its whole. */
export interface Bar { left: number; width: number; level: number; mode: string; start: number; end: number; cause: Cause }

const MINUTE = 60_000;

export function minutes(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

/** Whether a mode is more than what a schedule does outside of its hours. */
export function busy(plan: Plan, mode: string): boolean {
  return mode !== '' && mode !== plan.default;
}

/** How high a mode is drawn: its default is a line, the first of the others is full, further ones are lower. */
export function level(plan: Plan, mode: string): number {
  if (!busy(plan, mode)) return 0;
  const others = plan.modes.filter((m) => m.id !== plan.default);
  const place = Math.max(0, others.findIndex((m) => m.id === mode));
  return others.length < 2 ? 1 : 1 - (0.55 * place) / (others.length - 1);
}

export function modeName(plan: Plan, mode: string): Name | null {
  return plan.modes.find((m) => m.id === mode)?.name ?? null;
}

/** The bars of a span of time, clipped to it. */
export function bars(plan: Plan, intervals: Interval[], start: number, end: number): Bar[] {
  const whole = end - start;
  return intervals.flatMap((one) => {
    const from = Math.max(start, Date.parse(one.start));
    const to = Math.min(end, Date.parse(one.end));
    return to > from ? [{ left: (from - start) / whole, width: (to - from) / whole, level: level(plan, one.mode), mode: one.mode, start: from, end: to, cause: one.cause }] : [];
  });
}

/** What a type of day has: its spans in their order. A make-up workday without hours of its own is like a Friday. */
export function spansOf(plan: Plan, day: DayType): Span[] {
  const own = (type: DayType): Span[] => plan.weekly.filter((span) => span.days.includes(type)).sort((a, b) => a.from.localeCompare(b.from));
  return day === 'makeup' && !plan.weekly.some((span) => span.days.includes('makeup')) ? own('fri') : own(day);
}

/** Schedules in the order in which they change next; those that do not are last. */
export function upcoming(plans: Plan[]): Plan[] {
  return plans.filter((plan) => plan.next !== null).sort((a, b) => (a.next?.at ?? '').localeCompare(b.next?.at ?? '') || a.id.localeCompare(b.id));
}

/** Modes that all of some schedules have, with their names in the first. */
export function commonModes(plans: Plan[]): Mode[] {
  const [first, ...rest] = plans;
  return first ? first.modes.filter((mode) => rest.every((plan) => plan.modes.some((m) => m.id === mode.id))) : [];
}

/** Whether a time of a day is written as the controller reads it; an end may be 24:00. */
export function isTime(text: string, end = false): boolean {
  return /^([01]\d|2[0-3]):[0-5]\d$/.test(text) || (end && text === '24:00');
}

/** What is wrong with a span before it is sent; empty when nothing is. */
export function wrong(span: Span): '' | 'days' | 'time' | 'order' {
  if (span.days.length === 0) return 'days';
  if (!isTime(span.from) || !isTime(span.to, true)) return 'time';
  return minutes(span.to) > minutes(span.from) ? '' : 'order';
}

/** Local midnight of each day of a preview, ms. */
export function midnights(preview: Preview): number[] {
  return preview.days.map((_, place) => Date.parse(preview.start) + place * 1440 * MINUTE);
}
