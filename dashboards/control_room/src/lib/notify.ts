// Duties, messages and phones as the API gives them, and what the pages make of them. Pure but for `here`.
import type { Look } from '../components/StatusChip.svelte';
import { clock, date, parseDate, type Language } from './format';
import { t, type MessageKey } from './i18n';
import type { OfficeDay } from './schedule';
import type { Alarm, Name } from './types';

export type DayWord = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun' | 'workday' | 'holiday' | 'every';
export const DAY_WORDS: DayWord[] = ['every', 'workday', 'holiday', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
export interface Shift { days: DayWord[]; from: string; to: string; contacts: string[] }
export interface Substitute { contact: string; by: string; from: string; to: string; reason: string }
export interface Span { start: string; end: string; contacts: string[]; covered: boolean }
export interface Duty {
  id: string; name: Name; now: string[]; otherwise: string[]; shifts: Shift[]; substitutes: Substitute[]; spans: Span[];
  change: { owner: string; reason: string; since: string } | null;
}
export type WayKind = 'push' | 'mail' | 'webhook' | 'app';
export interface Contact { id: string; name: Name; ways: WayKind[]; reachable: boolean }
export interface Duties { time: string; duties: Duty[]; contacts: Contact[]; days: OfficeDay[] }

export type MessageState = 'queued' | 'sending' | 'sent' | 'failed' | 'unknown' | 'withdrawn' | 'grouped';
export interface Step { time: string | null; state: MessageState; channel: string; text: string }
export interface Message {
  id: number; message: string; kind: string; contact: string; contact_name: Name | null; alarm: string | null; title: Name; priority: 1 | 2 | 3 | 4; life_safety: boolean;
  state: MessageState; channel: string; attempt: number; repeat: boolean; text: string; count: number | null;
  created_at: string | null; changed_at: string | null; due_at: string | null; history: Step[];
}
export interface Channel { id: string; kind: WayKind; name: Name; ready: boolean; missing: Name | null; trouble: string; contacts: string[] }
export interface Channels { items: Channel[]; gateway: boolean; links: boolean; waiting: number }
export interface Outcome { state: 'sent' | 'failed' | 'unknown' | 'refused'; text: string }

export interface Phone { id: string; label: string; added_at: string | null; sent_at: string | null; received_at: string | null; gone_at: string | null }
export interface Phones { available: boolean; public_key: string; language: 'zh' | 'en' | null; contacts: string[]; items: Phone[] }
export interface AckLink { alarm: Alarm; equipment_name: Name; user: string; expires_at: string | null; current: boolean }

/** The controller's own sentences of why, and the words of the pages for them. */
const CAUSES: [RegExp, MessageKey][] = [
  [/^no way to this contact is set up/, 'notify.cause.no-way'],
  [/^this contact is no longer in/, 'notify.cause.no-contact'],
  [/^nobody who may see this has set up a phone/, 'notify.cause.no-phone'],
  [/^the phone's subscription is over/, 'notify.cause.gone'],
  [/^the alarm was over or acknowledged before/, 'notify.cause.over'],
  [/^it was taken back before/, 'notify.cause.void'],
  [/^waits for the message with a count/, 'notify.cause.held'],
  [/^the controller stopped while it was being sent/, 'notify.cause.crashed'],
  [/did not answer$|^no answer within/, 'notify.cause.no-answer'],
  [/cannot be reached|connection error/i, 'notify.cause.unreachable'],
];

/** Why a message stands as it does: in the words of the pages where they know it. */
export function cause(text: string): { text: string; english: boolean } {
  const known = CAUSES.find(([pattern]) => pattern.test(text));
  return known ? { text: t(known[1]), english: false } : { text, english: true };
}

/** Shape of a message's state: filled when it went out, crossed when it did not, "?" when nobody knows. */
export function look(state: MessageState): Look {
  return { queued: 'half', sending: 'half', sent: 'on', failed: 'bad', unknown: 'unknown', withdrawn: 'off', grouped: 'off' }[state] as Look;
}

/** The spans of a local day (`2026-11-27`), cut at its midnights. */
export function ofDay(spans: Span[], day: string): Span[] {
  const start = Date.parse(`${day}T00:00:00+08:00`);
  const end = start + 86_400_000;
  return spans
    .filter((span) => Date.parse(span.start) < end && Date.parse(span.end) > start)
    .map((span) => ({ ...span, start: new Date(Math.max(start, Date.parse(span.start))).toISOString(), end: new Date(Math.min(end, Date.parse(span.end))).toISOString() }));
}

/** `08:00`, and `24:00` for the midnight at the end of a day. */
export function hour(iso: string, isEnd = false): string {
  const text = clock(Date.parse(iso)).slice(0, 5);
  return isEnd && text === '00:00' ? '24:00' : text;
}

/** The span that holds now; undefined when none does. */
export function current(spans: Span[], now: number): Span | undefined {
  return spans.find((span) => Date.parse(span.start) <= now && now < Date.parse(span.end));
}

/** A local date and time as a person types it (ROC or ISO) to ISO 8601 with the zone; null when it cannot be read. */
export function parseMoment(text: string): string | null {
  const found = /^(\S+)\s+(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!found) return null;
  const day = parseDate(found[1] ?? '');
  const [h, m] = [Number(found[2]), Number(found[3])];
  return day && h < 24 && m < 60 ? `${day}T${String(h).padStart(2, '0')}:${found[3]}:00+08:00` : null;
}

export function momentText(iso: string, language: Language): string {
  return `${date(Date.parse(iso), language)} ${clock(Date.parse(iso)).slice(0, 5)}`;
}

/** Bytes of base64url text, for `applicationServerKey`. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  const padded = text.replaceAll('-', '+').replaceAll('_', '/').padEnd(Math.ceil(text.length / 4) * 4, '=');
  return Uint8Array.from(atob(padded), (char) => char.charCodeAt(0));
}

/** Why this browser cannot get push messages; empty when it can. */
export function obstacle(): '' | 'insecure' | 'unsupported' | 'denied' {
  if (!isSecureContext) return 'insecure';
  if (!('serviceWorker' in navigator) || !('PushManager' in window) || !('Notification' in window)) return 'unsupported';
  return Notification.permission === 'denied' ? 'denied' : '';
}
