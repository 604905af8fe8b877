// Main meter against the sum of its sub-meters: trees from `fed_by`, sums that say what is missing, and flow at night.
import type { Equipment, HistorySeries } from './types';

export interface MeterNode { equipment: Equipment; children: MeterNode[] }

/** What a meter shows now; null when it cannot be trusted. */
export type Reader = (address: string) => number | null;

export interface Balance {
  own: number | null;
  /** Of the meters below that are known. */
  sum: number;
  /** Meters directly below. */
  count: number;
  /** How many of them say nothing. */
  missing: number;
  /** Own less the sum; with something missing it is the most that it can be. */
  residue: number | null;
  /** Residue as a share of its own, in percent. */
  share: number | null;
}

const byNumber = (a: MeterNode, b: MeterNode): number => a.equipment.address.localeCompare(b.equipment.address, 'en', { numeric: true });

/** Roots of the trees; a meter that is fed by none of the list is one. */
export function meterTree(meters: readonly Equipment[]): MeterNode[] {
  const nodes = new Map(meters.map((equipment) => [equipment.address, { equipment, children: [] } as MeterNode]));
  const roots: MeterNode[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(String(node.equipment.parameters.fed_by ?? ''));
    if (parent && parent !== node) parent.children.push(node);
    else roots.push(node);
  }
  for (const node of nodes.values()) node.children.sort(byNumber);
  return roots.sort((a, b) => b.children.length - a.children.length || byNumber(a, b));
}

export function balance(node: MeterNode, read: Reader): Balance {
  const own = read(node.equipment.address);
  let sum = 0;
  let missing = 0;
  for (const child of node.children) {
    const value = read(child.equipment.address);
    if (value === null) missing += 1;
    else sum += value;
  }
  const residue = own === null || node.children.length === 0 ? null : own - sum;
  return { own, sum, count: node.children.length, missing, residue, share: residue === null || own === null || Math.abs(own) < 1e-9 ? null : (residue / own) * 100 };
}

export interface FlatNode { node: MeterNode; level: number; open: boolean }

/** Rows of the trees: below what is open or leads to something `loud`, or, with `wanted`, every match with what it hangs on. */
export function flatten(roots: readonly MeterNode[], open: ReadonlySet<string>, wanted?: (equipment: Equipment) => boolean, loud?: (equipment: Equipment) => boolean): FlatNode[] {
  const rows: FlatNode[] = [];
  const leads = new Set<string>();
  const look = (node: MeterNode): boolean => {
    let found = false;
    for (const child of node.children) found = look(child) || found;
    if (found) leads.add(node.equipment.address);
    return found || (loud?.(node.equipment) ?? false);
  };
  for (const root of roots) look(root);
  const walk = (node: MeterNode, level: number): boolean => {
    const at = rows.length;
    const shown = wanted ? true : open.has(node.equipment.address) || leads.has(node.equipment.address);
    rows.push({ node, level, open: shown && node.children.length > 0 });
    let hit = wanted?.(node.equipment) ?? true;
    if (shown) for (const child of node.children) hit = walk(child, level + 1) || hit;
    if (wanted && !hit) rows.length = at;
    return hit;
  };
  for (const root of roots) walk(root, 0);
  return rows;
}

const HALF_HOUR = 1_800_000;
/** Half hours from 02:00 to 04:00, when nobody draws water. */
const PIECES = 4;
export const NIGHTS = 3;

export interface Night {
  /** Drawn from 02:00 to 04:00; null when nothing is known. */
  amount: number | null;
  /** It ran in every half hour: nobody does that, a leak does. */
  steady: boolean;
}

/** The starts of the last nights (02:00 in Taipei) that are over at `now`, the latest first. */
export function nights(now: number): number[] {
  const day = 86_400_000;
  const two = Math.floor((now + 8 * 3_600_000) / day) * day - 6 * 3_600_000;
  const last = now >= two + PIECES * HALF_HOUR ? two : two - day;
  return Array.from({ length: NIGHTS }, (_, n) => last - n * day);
}

/** What a counter moved on in one night. History keeps changes alone: between two of them the counter stood still. */
export function night(series: HistorySeries, start: number): Night {
  const at = (moment: number): number | null => {
    let value = series.before && series.before.time <= moment ? series.before.value : null;
    for (let i = 0; i < series.time.length; i += 1) {
      if ((series.time[i] as number) + series.resolution_s * 1000 > moment) break;
      value = series.last[i] ?? value;
    }
    return value;
  };
  const marks = Array.from({ length: PIECES + 1 }, (_, n) => at(start + n * HALF_HOUR));
  const first = marks[0] ?? null;
  const last = marks[PIECES] ?? null;
  if (first === null || last === null) return { amount: null, steady: false };
  return { amount: Math.max(0, last - first), steady: marks.every((mark, n) => n === 0 || (mark as number) > (marks[n - 1] as number)) };
}

/** Three nights in a row without a pause; unknown (null) while a night is missing. */
export function leaking(list: readonly Night[]): boolean | null {
  if (list.some((n) => n.amount === null)) return list.some((n) => n.amount !== null && !n.steady) ? false : null;
  return list.every((n) => n.steady);
}

/** Meters are rounded, their history is not always: so much back is no reset. */
const ROUNDING = 1e-5;

/** What a counter moved on since the start of the series; null when that is not known. */
export function since(series: HistorySeries | undefined, present: number | null): number | null {
  if (!series || present === null) return null;
  const start = series.before?.value ?? series.min.find((v) => v !== null) ?? null;
  if (start === null || present < start - ROUNDING * Math.abs(start) - 0.01) return null;
  return Math.max(0, present - start);
}
