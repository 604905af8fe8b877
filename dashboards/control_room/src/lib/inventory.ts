// Devices as rows: what is typed on the screen becomes the row that a TOML file would have, and the other way round.
import type { Refusal } from './api';
import type { Name } from './types';

export interface ProfileHead {
  id: string; equipment: string; equipment_name: Name; protocol: string; vendor: string; model: string; source: string;
  period_s: number; points: number; schemes: string[]; options: string[]; required: string[];
}
export interface ProfilePoint { tag: string; kind: string; unit: string; name: Name; decimals: number; states: { value: number; name: Name }[]; commanded: boolean }
export interface ProfileDetail extends ProfileHead { point: ProfilePoint[] }
export interface Suggestion {
  number: number; like: string; address_template: string; device_template: string; zh_template: string; en_template: string;
  equipment: { floor?: string; area?: string; wing?: string; maker?: string; model?: string; parameters?: Record<string, string | number> };
}
export interface Exchange { what: string; request: string; answer: string; error: string }
export interface TestPoint {
  tag: string; name: Name; kind: string; unit: string; decimals: number; where: string; raw: string; value: number | null;
  quality: number | null; quality_name: string; status: string;
}
export interface TestRead {
  source: 'device' | 'running'; device: string; endpoint: string; unit: number; took_ms: number; exchanges: Exchange[]; points: TestPoint[]; error: string;
}
export interface SecretSet { secrets: Record<string, string>; devices: string[] }
export interface RowChange { owner: string; reason: string; since: string | null }
export interface DeviceRow {
  id: string; equipment: string; profile: string; endpoint: string; unit?: number; period_s?: number; urgent?: boolean; prefix?: string;
  omit?: string[]; names?: Record<string, Name>; options?: Record<string, string | number | boolean>; secrets?: Record<string, string>;
}
export interface EquipmentRow {
  id: string; class: string; name: Name; floor?: string; area?: string; wing?: string; maker?: string; model?: string; serial?: string;
  parameters?: Record<string, string | number>;
  /** Keys that the form does not show. */
  [other: string]: unknown;
}
export interface Sheet {
  id: string; origin: 'files' | 'changed' | 'screen'; device: DeviceRow; device_in_files: DeviceRow | null; place: string;
  equipment: EquipmentRow | null; equipment_in_files: EquipmentRow | null; change: RowChange | null; retired: RowChange | null;
  aside: Refusal[]; removable: boolean;
}
export type Verdict = 'ok' | 'not_ok' | 'not_checked';
export const VERDICTS: Verdict[] = ['ok', 'not_ok', 'not_checked'];
export interface Comparison {
  id: number; time: string | null; device: string; point: string; unit: string; value: number | null; quality: number; quality_name: string;
  raw: string; reference: number | null; deviation: number | null; verdict: Verdict; note: string; who: string;
}

/** What is typed of where a device is on the wire. */
export interface Address { endpoint: string; unit: string; period: string; options: Record<string, string>; secrets: Record<string, string>; prefix: string }
/** What is typed of an equipment. */
export interface Piece { zh: string; en: string; floor: string; area: string; wing: string; maker: string; model: string; serial: string; parameters: { key: string; value: string }[] }

export const emptyAddress = (): Address => ({ endpoint: '', unit: '1', period: '', options: {}, secrets: {}, prefix: '' });
export const emptyPiece = (): Piece => ({ zh: '', en: '', floor: '', area: '', wing: '', maker: '', model: '', serial: '', parameters: [] });

export const EXAMPLES: Record<string, string> = {
  tcp: 'tcp://10.20.3.11:502', 'rtu+tcp': 'rtu+tcp://10.20.1.10:4001', serial: 'serial:/dev/ttyUSB0?baudrate=9600&parity=N',
  'opc.tcp': 'opc.tcp://10.20.4.10:4840', mqtt: 'mqtt://10.20.5.2:1883', mqtts: 'mqtts://10.20.5.2:8883',
};
/** Options that are numbers in the files; all others are texts, also those that look like a number. */
const NUMBERS = new Set(['base', 'version', 'write_timeout_s']);

/** `{n}` and `{n:03}` of a template. */
export function fillTemplate(template: string, n: number): string {
  return template.replace(/\{n(?::0?(\d))?\}/g, (_, width: string | undefined) => String(n).padStart(Number(width ?? 1), '0'));
}

const trimmed = (text: string): string => text.trim();
const typed = (text: string): string | number => (trimmed(text) !== '' && Number.isFinite(Number(text)) ? Number(text) : trimmed(text));

export function optionsOf(options: Record<string, string>): Record<string, string | number> {
  const entries = Object.entries(options).filter(([, value]) => trimmed(value) !== '');
  return Object.fromEntries(entries.map(([key, value]) => [key, NUMBERS.has(key) ? typed(value) : trimmed(value)]));
}

/** The row of a device, without what is empty; `kept` are the keys of an older row that the form does not show. */
export function deviceRow(id: string, equipment: string, profile: string, address: Address, kept: Partial<DeviceRow> = {}): DeviceRow {
  const row: DeviceRow = { ...kept, id: trimmed(id), equipment: trimmed(equipment), profile, endpoint: trimmed(address.endpoint) };
  const unit = trimmed(String(address.unit));
  if (unit !== '' && unit !== '1') row.unit = Number(unit);
  const period = trimmed(String(address.period));
  if (period !== '') row.period_s = Number(period);
  if (trimmed(address.prefix)) row.prefix = trimmed(address.prefix);
  const options = optionsOf(address.options);
  if (Object.keys(options).length > 0) row.options = options;
  if (Object.keys(address.secrets).length > 0) row.secrets = address.secrets;
  return row;
}

const PLAIN = ['floor', 'area', 'wing', 'maker', 'model', 'serial'] as const;

/** The row of an equipment; what an older row has beside the form, its documents, stays. */
export function equipmentRow(id: string, cls: string, piece: Piece, old: Partial<EquipmentRow> = {}): EquipmentRow {
  const shown = new Set<string>([...PLAIN, 'parameters']);
  const kept = Object.fromEntries(Object.entries(old).filter(([key]) => !shown.has(key)));
  const row: EquipmentRow = { ...kept, id: trimmed(id), class: cls, name: { zh: trimmed(piece.zh), en: trimmed(piece.en) } };
  for (const key of PLAIN) if (trimmed(piece[key])) row[key] = trimmed(piece[key]);
  const parameters = piece.parameters.filter(({ key, value }) => trimmed(key) && trimmed(value));
  if (parameters.length > 0) row.parameters = Object.fromEntries(parameters.map(({ key, value }) => [trimmed(key), typed(value)]));
  return row;
}

export function addressOf(row: DeviceRow): Address {
  return {
    endpoint: row.endpoint, unit: String(row.unit ?? 1), period: row.period_s === undefined ? '' : String(row.period_s), prefix: row.prefix ?? '',
    options: Object.fromEntries(Object.entries(row.options ?? {}).map(([key, value]) => [key, String(value)])), secrets: row.secrets ?? {},
  };
}

export function pieceOf(row: EquipmentRow | null): Piece {
  const piece = emptyPiece();
  if (!row) return piece;
  for (const key of PLAIN) piece[key] = row[key] ?? '';
  piece.zh = row.name.zh;
  piece.en = row.name.en;
  piece.parameters = Object.entries(row.parameters ?? {}).map(([key, value]) => ({ key, value: String(value) }));
  return piece;
}

export const STEPS = ['class', 'profile', 'address', 'test', 'names', 'review'] as const;
export type Step = (typeof STEPS)[number];

/** The step whose fields a refusal speaks of. */
export function stepOf(key: string): Step {
  if (/^device\.(endpoint|unit|period_s|options|secrets|prefix)/.test(key)) return 'address';
  if (key.startsWith('device.profile')) return 'profile';
  // An alarm or rule of the class that cannot be made lacks a parameter or a point of the equipment.
  if (/^(device\.(id|equipment|names|omit)|equipment|alarm|rule)/.test(key) || key === 'device') return 'names';
  return 'review';
}

const SAID = ['device.id', 'device.equipment', 'device.profile', 'device.endpoint', 'device.unit', 'device.period_s', 'device.options', 'device.secrets', 'device.prefix', 'device.omit', 'device.names', 'equipment.id', 'equipment.name', 'equipment.floor', 'equipment.area', 'equipment.parameters', 'device', 'alarm', 'rule'];

/** The sentence that says a refusal in the station's language: the closest one that there is. */
export function sentenceOf(key: string): string {
  const found = SAID.filter((said) => key === said || key.startsWith(`${said}.`)).sort((a, b) => b.length - a.length)[0];
  return found ?? 'other';
}
