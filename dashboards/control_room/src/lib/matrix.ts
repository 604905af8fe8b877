// The cause-and-effect table as the API gives it, and what the page makes of it. Pure: language and loss are given.
import { csv } from './calendar';
import type { FireStatus, FireZone, Name } from './types';

/** `none`: the cause does not call for it; `hidden`: it does, and this person may not see it. */
export type CellState = 'rest' | 'waiting' | 'done' | 'late' | 'missing' | 'lost' | 'unknown';
export type Shown = CellState | 'hidden' | 'none';
export interface Output { point: string; name: Name; state: CellState; value: number | null; seen_after_s: number | null }
export interface Cell { kind: string; state: CellState | null; within_s: number; outputs: Output[]; hidden: number }
export interface Cause {
  id: string; name: Name; called: boolean; since: string | null; zones: FireZone[]; cells: Cell[]; holds: { equipment: string[]; held: number; hidden: number };
}
export interface Matrix { time: string; panel: string; status: FireStatus; phase: string; watched: boolean; kinds: { id: string; name: Name }[]; causes: Cause[] }
export type Filter = 'all' | 'called' | 'wrong';

/** What a cell says. While the connection is lost nothing of it is known, except what it does not call for. */
export function shown(cell: Cell | undefined, lost: boolean): Shown {
  if (!cell) return 'none';
  if (cell.state === null) return 'hidden';
  return lost ? 'unknown' : cell.state;
}

export const cellOf = (cause: Cause, kind: string): Cell | undefined => cause.cells.find((cell) => cell.kind === kind);

/** Outputs of a cell that were seen, of how many, and after how long the slowest of them was. */
export function counted(cell: Cell): { done: number; total: number; unknown: number; slowest: number | null } {
  const seen = cell.outputs.filter((o) => o.state === 'done' || o.state === 'late');
  const times = cell.outputs.flatMap((o) => (o.seen_after_s === null ? [] : [o.seen_after_s]));
  return { done: seen.length, total: cell.outputs.length, unknown: cell.outputs.filter((o) => o.state === 'unknown').length, slowest: times.length > 0 ? Math.max(...times) : null };
}

const WRONG: readonly (CellState | null)[] = ['missing', 'lost', 'unknown', 'late'];
const NOT_WELL: readonly FireStatus[] = ['fire', 'unknown', 'fault', 'pre_alarm'];

/** A row that deviates: an output that did not follow, came late or cannot be read, or a zone that is not as at rest. */
export const deviates = (cause: Cause): boolean => cause.cells.some((cell) => WRONG.includes(cell.state)) || cause.zones.some((zone) => NOT_WELL.includes(zone.status));

/** Everything of a row that a person may look for, in both languages. */
const text = (cause: Cause, kinds: Matrix['kinds']): string =>
  [
    cause.id, cause.name.zh, cause.name.en,
    ...cause.zones.flatMap((zone) => [zone.address, zone.name.zh, zone.name.en]),
    ...kinds.filter((kind) => cellOf(cause, kind.id)).flatMap((kind) => [kind.name.zh, kind.name.en]),
    ...cause.cells.flatMap((cell) => cell.outputs.map((output) => output.point)), ...cause.holds.equipment,
  ].join('\n').toLowerCase();

/** The rows to show: what burns first, then the order of the configuration. Every word of the query must be in a row. */
export function rowsOf(matrix: Matrix, filter: Filter, query: string): Cause[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const list = matrix.causes.filter((cause) => (filter === 'called' ? cause.called : filter === 'wrong' ? deviates(cause) : true) && (words.length === 0 || words.every((word) => text(cause, matrix.kinds).includes(word))));
  return [...list.filter((cause) => cause.called), ...list.filter((cause) => !cause.called)];
}

/** Where the arrow keys go from a cell that has something in it: the next such cell in that direction, or the same. */
export function step(there: boolean[][], row: number, column: number, key: string): [number, number] {
  const line = (r: number): number[] => (there[r] ?? []).flatMap((is, c) => (is ? [c] : []));
  if (key === 'ArrowRight') return [row, line(row).find((c) => c > column) ?? column];
  if (key === 'ArrowLeft') return [row, line(row).findLast((c) => c < column) ?? column];
  if (key === 'Home') return [row, line(row)[0] ?? column];
  if (key === 'End') return [row, line(row).at(-1) ?? column];
  const by = key === 'ArrowDown' ? 1 : key === 'ArrowUp' ? -1 : 0;
  if (by === 0) return [row, column];
  for (let r = row + by; r >= 0 && r < there.length; r += by) {
    const near = line(r).sort((a, b) => Math.abs(a - column) - Math.abs(b - column))[0];
    if (near !== undefined) return [r, near];
  }
  return [row, column];
}

/** Zones of a cause that are not as at rest. */
export const uneasy = (cause: Cause): FireZone[] => cause.zones.filter((zone) => zone.status !== 'normal');

export interface SheetWords {
  name: (name: Name) => string; head: string[]; state: (state: CellState) => string; zone: (zone: FireZone) => string; called: (called: boolean) => string;
  equipment: (point: string) => string; hidden: (count: number) => string;
}

/** The rows as a CSV file, one line an output; what is hidden is a line that says so. */
export function sheet(matrix: Matrix, rows: Cause[], lost: boolean, words: SheetWords): string {
  const kinds = new Map(matrix.kinds.map((kind) => [kind.id, kind.name]));
  const lines = rows.flatMap((cause) => {
    const first = [words.name(cause.name), words.called(cause.called), uneasy(cause).map(words.zone).join('; ')];
    return cause.cells.flatMap((cell) => [
      ...cell.outputs.map((o) => [
        ...first, words.name(kinds.get(cell.kind) ?? { zh: cell.kind, en: cell.kind }), words.equipment(o.point), words.name(o.name), o.point, words.state(lost ? 'unknown' : o.state),
        o.seen_after_s === null ? '' : o.seen_after_s.toFixed(1), String(cell.within_s),
      ]),
      ...(cell.hidden > 0 ? [[...first, words.name(kinds.get(cell.kind) ?? { zh: cell.kind, en: cell.kind }), '', words.hidden(cell.hidden), '', '', '', String(cell.within_s)]] : []),
    ]);
  });
  return csv([[matrix.time, matrix.panel], words.head, ...lines]);
}

