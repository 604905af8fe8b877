// Drills as the API gives them, and what the pages make of them. Pure: time and language are given.
import type { Name } from './types';

/** First in everything that is shown of a drill, in both languages. */
export const MARK = '演練 DRILL';
/** What takes the place of a drill; only for a fire. */
export const REAL_FIRE = '真實火警 REAL FIRE';
/** Any other real signal that ended a drill. */
export const REAL_ALARM = '真實告警 REAL ALARM';

export type Phase = 'planned' | 'requested' | 'running' | 'stood_down' | 'restored' | 'reported' | 'cancelled';
export const PHASES: Phase[] = ['planned', 'requested', 'running', 'stood_down', 'restored', 'reported'];

export interface Signal { kind: string; text: Name; place: Name; floor: string }
/** What every screen is told. */
export interface Current {
  drill: {
    id: string; phase: Phase; level: 'table_top' | 'simulated'; name: Name; building: string; floor: string; started_ms: number | null; end_ms: number | null;
    ended_ms: number | null; cause: string | null; values: { point: string; value: number }[]; given: number; last: Name | null;
  } | null;
  real: Signal[];
  more: number;
  unrecorded: boolean;
}
export interface Inject {
  id: string; after_s: number; text: Name; team: string; answer_s: number | null; point: string; value: number | null;
  given: string | null; answered: string | null; answered_by: string; answered_after_s: number | null; note: string;
}
export interface Drill {
  id: string; phase: Phase; level: 'table_top' | 'simulated'; scenario: string; name: Name; building: string; floor: string; end: string; length_s: number;
  elapsed_s: number; confirm_s: number; notice: string; remark: string; planned_by: string; planned: string; requested_by: string; requested: string | null;
  confirmed_by: string; started: string | null; ended: string | null; cause: string | null; ended_by: string; ended_why: string; real: Signal[];
  injects: Inject[]; goals: { id: string; kind: string; text: Name; within_s: number | null }[]; assembly: { id: string; name: Name; floors: string[] }[];
  steps: { id: string; text: Name }[]; checked: string[]; restored_by: string; restored: string | null; conclusion: string; reported_by: string; reported: string | null;
}
export interface Scenario { id: string; name: Name; building: string; floor: string; levels: ('table_top' | 'simulated')[]; end_s: number; injects: number }
export interface Zone {
  area: string; floor: string; expected: number; accounted: number; missing: number; rescue: number; visitors: number; conflicts: number; late: number;
  swept: string | null; reported: string | null; complete: string | null; wardens: string[];
}
export type Status = 'accounted' | 'missing' | 'rescue';
export interface Person {
  person: string; area: string; floor: string; door: string; seen: string | null; status: Status | null; who: string; at: string | null; assembly: string; note: string;
  conflict: string[]; expected: boolean;
  /** It was said after the end of the drill. */
  late: boolean;
}
export interface Board { drill: string; phase: Phase; time: string; expected: number; accounted: number; missing: number; rescue: number; zones: Zone[]; people: Person[]; hidden: number; arrived_late: number }
export interface Entry { id: number; time: string; kind: string; who: string; text: Name; data: Record<string, unknown> }

/** `00:07:42`; negative times are none. */
export function elapsed(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** `07:42`, for times within a drill. */
export function short(seconds: number): string {
  const text = elapsed(seconds);
  return text.startsWith('00:') ? text.slice(3) : text;
}

/** The words of a record without the mark that they begin with; the page shows it beside them. */
export function unmarked(text: string): string {
  return text.startsWith(MARK) ? text.slice(MARK.length).trimStart() : text;
}

/** How an inject stands: not due, given and waiting, late, answered (in time or late), or only told. */
export function standing(inject: Inject, now: number): 'due' | 'told' | 'waits' | 'late' | 'answered' | 'answered-late' {
  if (!inject.given) return 'due';
  if (inject.answer_s === null) return 'told';
  if (inject.answered_after_s !== null) return inject.answered_after_s <= inject.answer_s ? 'answered' : 'answered-late';
  return (now - Date.parse(inject.given)) / 1000 > inject.answer_s ? 'late' : 'waits';
}

/** People who are not accounted for: those who need rescue first, then those of whom nothing is known for longest. */
export function wanted(board: Board): Person[] {
  return board.people
    .filter((p) => p.expected && p.status !== 'accounted')
    .sort((a, b) => Number(b.status === 'rescue') - Number(a.status === 'rescue') || (a.seen ?? '').localeCompare(b.seen ?? '') || a.person.localeCompare(b.person));
}

/** Share of a zone that is accounted for, 0..1; an empty one is whole. */
export function share(zone: { expected: number; accounted: number }): number {
  return zone.expected === 0 ? 1 : zone.accounted / zone.expected;
}
