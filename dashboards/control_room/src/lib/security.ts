// What doors, zones, calls and cameras are now, as pure decisions; words and shapes are made of them by the pages.
import { floorIndex } from './format';
import type { Look } from '../components/StatusChip.svelte';
import type { Alarm, Equipment } from './types';

/** The systems of this part, as in the second word of an address. */
export const SYSTEMS = ['access', 'intrusion', 'sos', 'intercom', 'cctv'] as const;

export type DoorState = 'unknown' | 'forced' | 'held' | 'released' | 'open' | 'unlocked' | 'blocked' | 'lockdown' | 'locked' | 'closed';
export interface DoorReading { mode: number; position: number; lock: number; alarm: number; released: number; quality: number }

/** One word for a door, the worst first. A value that is not good says nothing: unknown is never "closed". */
export function doorState(d: DoorReading): DoorState {
  if (d.quality >= 64 || !Number.isFinite(d.position) || !Number.isFinite(d.alarm)) return 'unknown';
  if (d.alarm === 1) return 'forced';
  if (d.alarm === 2) return 'held';
  if (d.released === 1) return 'released';
  if (d.position === 1) return 'open';
  if (d.mode === 4) return 'blocked';
  if (d.mode === 3) return 'lockdown';
  if (d.mode === 2 || d.lock === 1) return 'unlocked';
  return d.mode === 0 ? 'locked' : 'closed';
}

/** Filled = shut, hollow = open, half = free to pass, crossed = out of use. */
export const DOOR_LOOK: Record<DoorState, Look> = {
  unknown: 'unknown', forced: 'bad', held: 'half', released: 'off', open: 'off', unlocked: 'half', blocked: 'out', lockdown: 'out', locked: 'on', closed: 'on',
};

export type ZoneState = 'unknown' | 'disarmed' | 'armed' | 'entry' | 'exit' | 'alarm' | 'tamper' | 'bypass' | 'fault';
const ZONES: ZoneState[] = ['disarmed', 'armed', 'entry', 'exit', 'alarm', 'tamper', 'bypass', 'fault'];
export function zoneState(value: number, quality: number): ZoneState {
  return quality >= 64 ? 'unknown' : (ZONES[Math.round(value)] ?? 'unknown');
}
export const ZONE_LOOK: Record<ZoneState, Look> = {
  unknown: 'unknown', disarmed: 'off', armed: 'on', entry: 'half', exit: 'half', alarm: 'bad', tamper: 'bad', bypass: 'out', fault: 'bad',
};

export type ButtonState = 'unknown' | 'pressed' | 'tamper' | 'ready';
export function buttonState(pressed: number, tamper: number, quality: number): ButtonState {
  if (quality >= 64 || !Number.isFinite(pressed)) return 'unknown';
  if (pressed === 1) return 'pressed';
  return tamper === 1 ? 'tamper' : 'ready';
}
export const BUTTON_LOOK: Record<ButtonState, Look> = { unknown: 'unknown', pressed: 'bad', tamper: 'out', ready: 'off' };

export type CallState = 'unknown' | 'ringing' | 'connected' | 'unregistered' | 'idle';
export function callState(call: number, registered: number, quality: number): CallState {
  if (quality >= 64 || !Number.isFinite(call)) return 'unknown';
  if (call === 1) return 'ringing';
  if (call === 2) return 'connected';
  return registered === 0 ? 'unregistered' : 'idle';
}
export const CALL_LOOK: Record<CallState, Look> = { unknown: 'unknown', ringing: 'half', connected: 'on', unregistered: 'out', idle: 'off' };

export type CameraState = 'unknown' | 'lost' | 'covered' | 'storage' | 'good';
export interface CameraReading { online: number; loss: number; covered: number; storage: number; quality: number }
/** `online` and `loss` may both be missing (NaN): a model has one of them. */
export function cameraState(c: CameraReading): CameraState {
  if (c.quality >= 64) return 'unknown';
  if (c.online === 0 || c.loss === 1) return 'lost';
  if (c.covered === 1) return 'covered';
  if (c.storage === 1) return 'storage';
  return c.online === 1 || c.loss === 0 ? 'good' : 'unknown';
}
export const CAMERA_LOOK: Record<CameraState, Look> = { unknown: 'unknown', lost: 'bad', covered: 'bad', storage: 'half', good: 'on' };

/** How far from one thing to another: same floor and area, same floor, else by floors. Smaller is nearer. */
export function distance(a: Equipment, b: Equipment): number {
  if (a.building !== b.building) return 1000;
  const floors = Math.abs(floorIndex(a.floor) - floorIndex(b.floor));
  return floors * 10 + (a.area === b.area ? 0 : 1) + (a.wing && a.wing === b.wing ? -0.5 : 0);
}

/** The `n` nearest of `others`, on the same floor or the one beside it at most. */
export function nearest(from: Equipment, others: Equipment[], n: number): Equipment[] {
  return others
    .map((e): [number, Equipment] => [distance(from, e), e])
    .filter(([d]) => d <= 11)
    .sort((a, b) => a[0] - b[0] || a[1].address.localeCompare(b[1].address))
    .slice(0, n)
    .map(([, e]) => e);
}

/** Somebody needs us now: SOS, duress, a door forced, an intrusion. Not a camera without a memory card. */
export function calls(a: Alarm): boolean {
  return (SYSTEMS as readonly string[]).includes(a.system) && (a.life_safety || a.priority === 1 || (a.system === 'access' && a.kind === 'state' && a.priority === 2 && (a.point ?? '').endsWith('.alarm')));
}

/** The equipment that a door event names: `w-05f-1` is `….access.w_05f_1`. */
export function doorOf(data: Record<string, unknown>, doors: Equipment[]): Equipment | undefined {
  const word = typeof data.door === 'string' ? data.door.replaceAll('-', '_') : '';
  return word ? doors.find((d) => d.address.endsWith(`.${word}`)) : undefined;
}
