// The steps of a command, as data: enter → review → sent; nothing is sent before the review. Pure.
import type { Command, Point } from './types';

export type Step = 'closed' | 'enter' | 'review' | 'sent';
export interface Draft { value: number | null; seconds: number | null; reason: string; release: boolean }
export type Trouble = 'value' | 'reason' | null;

export function emptyDraft(value: number): Draft {
  return { value, seconds: 1800, reason: '', release: false };
}

/** What is missing in a draft, or null when it may be reviewed. */
export function check(draft: Draft, point: Point): Trouble {
  if (!draft.reason.trim()) return 'reason';
  if (draft.release) return null;
  const { value } = draft;
  if (value === null || !Number.isFinite(value)) return 'value';
  const low = point.write?.low ?? -Infinity;
  const high = point.write?.high ?? Infinity;
  return value < low || value > high ? 'value' : null;
}

/** Class C needs a second person, who cannot sign in yet: it is never sent from here. */
export function mayExecute(point: Point): boolean {
  return point.write !== null && point.write.confirm !== 'C';
}

export function request(draft: Draft, point: Point): { point: string; value: number | null; slot: number; reason: string; expires_s: number | null } {
  return { point: point.address, value: draft.release ? null : draft.value, slot: 8, reason: draft.reason.trim(), expires_s: draft.release || point.write?.momentary ? null : draft.seconds };
}

const ORDER = { accepted: 0, pending: 1, verifying: 2, masked: 3, done: 3, failed: 3, unknown: 3, expired: 3 } as const;

/** The newer of two reports on one command: results may overtake the answer of the request. */
export function newer(a: Command, b: Command): Command {
  return (ORDER[b.state] ?? 0) >= (ORDER[a.state] ?? 0) ? b : a;
}
export const finished = (c: Command): boolean => (ORDER[c.state] ?? 0) === 3;
