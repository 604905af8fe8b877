// Shapes of the REST and stream contract, as the controller sends them (docs/reference: HTTP API).

export interface Name { zh: string; en: string }
export interface Floor { id: string; index: number; name: Name }
export interface Building { id: string; name: Name; floors: Floor[] }
export interface Area { id: string; name: Name; building?: string }
export interface System { id: string; name: Name }
export interface Equipment {
  address: string; cls: string; name: Name; building: string; system: string; floor: string; area: string; wing: string;
  maker: string; model: string; serial: string; parameters: Record<string, number | string>;
}
export interface Site {
  id: string; name: Name; timezone: string; generation: number; version: string;
  buildings: Building[]; areas: Area[]; systems: System[]; equipment: Equipment[];
}
export interface Limits { high_high: number | null; high: number | null; low: number | null; low_low: number | null }
export interface WriteSpec {
  low: number | null; high: number | null; default: number | null; fail: string; confirm: 'A' | 'B' | 'C' | string;
  readback?: string; minimum_on_s?: number; minimum_off_s?: number; momentary?: boolean;
}
export type Kind = 'analog' | 'binary' | 'multistate' | 'counter';
export interface Point {
  number: number; address: string; kind: Kind; unit: string; name: Name; equipment: string; device: string; tag: string;
  low: number | null; high: number | null; decimals: number; deadband: number | null; stale_s: number | null;
  states: { value: number; name: Name }[]; limits: Limits; write: WriteSpec | null;
  area: string; system: string; floor: string; haystack?: string; brick?: string;
}
export interface Slot { slot: number; value: number; owner: string; reason: Name; since: string; until: string | null; lease_s: number | null }
export interface PriorityArray { point: string; present: number | null; winner: number | null; default: number | null; slots: (Slot | null)[] }
export type CommandState = 'accepted' | 'pending' | 'verifying' | 'done' | 'failed' | 'unknown' | 'masked' | 'expired';
export interface Command {
  id: string; point: string; slot: number; value: number | null; previous: number | null; owner: string; reason: Name;
  state: CommandState; message: string; requested_at: string; finished_at: string | null; until: string | null; readback: number | null;
}
export type AlarmState = 'unacknowledged' | 'acknowledged' | 'returned' | 'latched_unacknowledged' | 'latched_acknowledged' | 'normal' | 'shelved' | 'suppressed' | 'out_of_service';
export interface Alarm {
  id: string; occurrence: string | number; state: AlarmState; priority: 1 | 2 | 3 | 4; life_safety: boolean; kind: string;
  point: string | null; device: string | null; equipment: string; system: string; area: string; floor: string;
  text: Name; reason?: Name | null; consequence: Name; action: Name; respond_by: string | null; value: number | null; limit: number | null; unit: string;
  raised_at: string | null; returned_at: string | null; acknowledged_at: string | null; acknowledged_by: string | null;
  comment: string | null; count: number; bad_input: boolean;
}
export interface AlarmEntry {
  id: number; alarm: string; occurrence: string; time: string | null; event: string; from_state: string; to_state: string;
  value: number | null; limit: number | null; user: string; comment: string;
}
export interface CommandEntry {
  id: number; command: string; point: string; slot: number; value: number | null; previous: number | null; owner: string; reason: Name;
  state: CommandState; message: string; time: string | null; until: string | null;
}
export interface DeviceEvent { id: number; source: string; key: string; type: string; time: string | null; data: Record<string, string | number | boolean | null> }
export interface EquipmentDocument { id: string; kind: 'photo' | 'manual' | 'drawing'; title: Name; file: string; media: string; size: number }
export type DeviceState = 'starting' | 'good' | 'lost' | 'refused' | 'disabled';
export interface Device {
  id: string; profile: string; protocol: string; endpoint: string; unit: number | string | null; equipment: string; points: number;
  state: DeviceState; last_good: string | null; since: string | null; polls: number; errors: number; timeouts: number; refused: number;
  latency_p95_ms: number | null; message: string; cause: string; keepalives: number; writes: number;
}
export interface Session {
  user: { name: string; display_name: string; role: string };
  permissions: { action: string; area: string }[];
  csrf: string; expires_at: string | null; must_set_password: boolean; demo: boolean;
}
export interface HistorySeries {
  address: string; number: number; unit: string; resolution_s: number; time: number[];
  min: (number | null)[]; mean: (number | null)[]; max: (number | null)[]; last: (number | null)[]; good: (number | null)[];
  before: { time: number; value: number | null } | null;
}
export interface Page<T> { items: T[]; next: string | null }

export type FireStatus = 'normal' | 'pre_alarm' | 'fire' | 'fault' | 'unknown';
export type FireReason = 'not_read' | 'relay_lost' | 'link_lost' | 'walk_test' | 'isolated' | 'zone_denied' | 'relay_denied' | 'count_denied';
export type FirePhase = 'idle' | 'active' | 'restoring';
/** What the stream tells everybody of fire. */
export interface FireItem {
  panel: string; version: number; status: FireStatus; reasons: FireReason[]; reset: boolean; phase: FirePhase; response: string | null;
  since: string | null; zones: string[]; everywhere: boolean; effects: { done: number; waiting: number; deviating: number };
  given_back: number; unrecorded: boolean;
}
export interface FireZone { address: string; name: Name; floor: string; wing: string; status: FireStatus; reason: FireReason | null }
export type SightState = 'waiting' | 'done' | 'late' | 'missing' | 'lost' | 'unknown';
export interface FireEffect {
  kind: string; name: Name; point: string; point_name: Name; equipment: string; equipment_name: Name; cause: string; state: SightState; within_s: number;
  seen_after_s: number | null; due: string | null; seen_at: string | null; value: number | null;
}
export interface FireStep { slots: number[]; equipment: string[]; points: number; state: 'done' | 'next' | 'waiting'; in_s: number | null }
export interface FireResponse {
  id: string; phase: FirePhase; since: string | null; zones: { zone: string; name: Name; floor: string; since: string | null }[]; everywhere: boolean;
  reset_at: string | null; watched: boolean; stood_down_at: string | null; stood_down_by: string | null; reason: string | null; steps: FireStep[];
  held: { equipment: string; name: Name; points: number; slots: number[] }[];
  emptied: { point: string; slot: number; value: number; owner: string; reason: Name }[]; effects: FireEffect[];
}
export interface FireWords { time: string; response: string | null; announcement: Name | null; summary: Name | null }
export interface Fire { panel: string; status: FireStatus; reasons: FireReason[]; reset: boolean; unrecorded: boolean; zones: FireZone[]; response: FireResponse | null }
