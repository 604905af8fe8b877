// Calendars as the API gives them, and what the maintenance page makes of them. Pure: time and language are given.
import { clock, date, isoDate, parseDate, type Language } from './format';
import type { Name } from './types';

/** `of_files`: the files have this entry too, so that the change can be taken back. */
export interface Change { owner: string; reason: string; since: string | null; of_files: boolean }
interface Entry { id: string; title: Name; equipment: string[]; change: Change | null; editable: boolean }
export interface Booking extends Entry { venue: string; start: string; end: string; series: string }
export interface Works extends Entry {
  kind: 'renovation' | 'maintenance'; phase: 'planned' | 'on' | 'over'; start: string; end: string; area: string; floors: string[]; patterns: string[];
  takes_out: boolean; contractor: Name; why: Name;
}
export interface Inspection extends Entry {
  kind: string; standing: 'overdue' | 'due' | 'good'; basis: string; interval_months: number; last_done: string | null; due: string | null;
  certificate_until: string | null; deadline: string | null; area: string;
}
export interface Venue { id: string; name: Name; area: string; floor: string; equipment: string[] }
export interface Out { equipment: string; works: string; title: Name; why: Name; until: string; points: number }
export interface InUse { equipment: string; booking: string; title: Name; until: string }
export interface Calendar {
  time: string; venues: Venue[]; bookings: Booking[]; clashes: string[][]; works: Works[]; inspections: Inspection[];
  out_of_service: Out[]; in_use: InUse[]; alarms_out_of_service: number;
}

const OFFSET = 8 * 3_600_000;
export const DAY = 86_400_000;

/** Midnight in Taipei (no summer time there) of an ISO day, ms. */
export function dayMs(iso: string): number {
  return Date.parse(`${iso}T00:00:00+08:00`);
}

/** The last day of works whose end is the first moment at which everything is back. */
export function lastDay(end: string): string {
  return isoDate(Date.parse(end) - 1);
}

/** Until when, in words: the last day where the end is a midnight, else the minute. */
export function untilText(end: string, language: Language): string {
  const ms = Date.parse(end);
  const time = clock(ms);
  return time === '00:00:00' ? date(ms - 1, language) : `${date(ms, language)} ${time.slice(0, 5)}`;
}

/** Begin and end of a year in Taipei, ms. */
export function yearSpan(year: number): [number, number] {
  return [dayMs(`${year}-01-01`), dayMs(`${year + 1}-01-01`)];
}

export function yearOf(ms: number): number {
  return new Date(ms + OFFSET).getUTCFullYear();
}

/** Where a span lies in another, both parts of 0..1; null when it does not touch it. */
export function place(start: number, end: number, from: number, to: number): { left: number; width: number } | null {
  if (end <= from || start >= to) return null;
  const left = Math.max(0, (start - from) / (to - from));
  return { left, width: Math.min(1, (end - from) / (to - from)) - left };
}

/** Overdue first, then by deadline; those without one last. */
export function urgent(list: Inspection[]): Inspection[] {
  const rank = { overdue: 0, due: 1, good: 2 };
  return [...list].sort((a, b) => rank[a.standing] - rank[b.standing] || (a.deadline ?? '9').localeCompare(b.deadline ?? '9') || a.id.localeCompare(b.id));
}

/** Days from today to an ISO day; negative when it has passed. */
export function daysTo(iso: string, now: number): number {
  return Math.round((dayMs(iso) - dayMs(isoDate(now))) / DAY);
}

/** An ISO day and `HH:MM` as a time with zone; null when one of them is none. */
export function at(day: string, time: string): string | null {
  const iso = parseDate(day);
  return iso && /^([01]\d|2[0-3]):[0-5]\d$/.test(time) ? `${iso}T${time}:00+08:00` : null;
}

const cell = (text: string): string => {
  // A spreadsheet runs what begins like a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** A CSV file with a byte-order mark, so that spreadsheets read Chinese. */
export function csv(rows: string[][]): string {
  return `\ufeff${rows.map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
