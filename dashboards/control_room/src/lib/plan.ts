// Floor plans: the shapes of the API, and what the editor does with them. Pure; the controller checks everything again.
import type { Name } from './types';

export type Vertex = [number, number];
export interface Drawing { id: string; kind: string; width: number; height: number; file: string }
export interface Zone { id: string; name: Name; polygon: Vertex[]; holds: string[] }
export interface Placement { address: string; x: number; y: number }
export interface Spot { address: string; equipment: string; x: number; y: number; zone: string; automatic: boolean }
export interface Plan {
  building: string; floor: string; width: number; height: number; drawing: Drawing | null; zones: Zone[]; placements: Placement[];
  spots: Spot[]; homeless: string[]; change: { owner: string; reason: string; since: string | null } | null; etag: string;
}

export const drawingUrl = (id: string): string => `/api/v1/drawings/${encodeURIComponent(id)}`;
export const equipmentOf = (address: string): string => address.split('.').slice(0, 3).join('.');
/** The mark on the equipment: the last word of its address. */
export const mark = (address: string): string => (address.split('.')[2] ?? address).replaceAll('_', '-').toUpperCase();

/** What a person edits: everything of a plan that can be changed. */
export interface Draft { width: number; height: number; drawing: Drawing | null; zones: Zone[]; placements: Placement[] }

export function draftOf(plan: Plan): Draft {
  return { width: plan.width, height: plan.height, drawing: plan.drawing, zones: plan.zones, placements: plan.placements };
}

export const same = (a: Draft, b: Draft): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Steps that can be taken back; a step of the same kind as the one before it (a drag, a held arrow key) joins it. */
export class Steps {
  #past: Draft[] = [];
  #future: Draft[] = [];
  #kind = '';
  constructor(public now: Draft) {}

  do(next: Draft, kind = ''): void {
    if (same(next, this.now)) return;
    if (!kind || kind !== this.#kind) {
      this.#past.push(this.now);
      if (this.#past.length > 200) this.#past.shift();
    }
    this.#kind = kind;
    this.#future = [];
    this.now = next;
  }
  /** The next step does not join this one: the pointer was lifted, another thing was chosen. */
  settle(): void {
    this.#kind = '';
  }
  undo(): boolean {
    const before = this.#past.pop();
    if (!before) return false;
    this.#future.push(this.now);
    this.now = before;
    this.#kind = '';
    return true;
  }
  redo(): boolean {
    const next = this.#future.pop();
    if (!next) return false;
    this.#past.push(this.now);
    this.now = next;
    this.#kind = '';
    return true;
  }
  get undoable(): boolean {
    return this.#past.length > 0;
  }
  get redoable(): boolean {
    return this.#future.length > 0;
  }
}

export const GRID = 5;
const NEAR = 8;

const clamp = (v: number, most: number): number => Math.min(most, Math.max(0, v));
const tenth = (v: number): number => Math.round(v * 10) / 10;

/** A place inside of the drawing, on the grid unless `free`. */
export function snap(draft: Draft, [x, y]: Vertex, free = false): Vertex {
  const on = (v: number, most: number): number => tenth(clamp(free ? v : Math.round(v / GRID) * GRID, most));
  return [on(x, draft.width), on(y, draft.height)];
}

/** A corner goes to a corner nearby, so that zones touch; else to the line of one, else to the grid. */
export function snapCorner(draft: Draft, vertex: Vertex, not: { zone: number; corner: number } | null = null): Vertex {
  const corners = draft.zones.flatMap((z, i) => z.polygon.filter((_, k) => !(not && not.zone === i && not.corner === k)));
  const near = corners.filter(([x, y]) => Math.hypot(x - vertex[0], y - vertex[1]) <= NEAR);
  const best = near.sort((a, b) => Math.hypot(a[0] - vertex[0], a[1] - vertex[1]) - Math.hypot(b[0] - vertex[0], b[1] - vertex[1]))[0];
  if (best) return [best[0], best[1]];
  const line = (v: number, axis: 0 | 1): number | undefined => corners.map((c) => c[axis]).filter((c) => Math.abs(c - v) <= NEAR / 2).sort((a, b) => Math.abs(a - v) - Math.abs(b - v))[0];
  const [gx, gy] = snap(draft, vertex);
  return [line(vertex[0], 0) ?? gx, line(vertex[1], 1) ?? gy];
}

export function place(draft: Draft, address: string, [x, y]: Vertex): Draft {
  const others = draft.placements.filter((p) => p.address !== address);
  const at = draft.placements.findIndex((p) => p.address === address);
  const placements = at < 0 ? [...others, { address, x, y }] : draft.placements.map((p, i) => (i === at ? { address, x, y } : p));
  return { ...draft, placements };
}

/** Leave the place to the layout again. */
export function release(draft: Draft, address: string): Draft {
  return { ...draft, placements: draft.placements.filter((p) => p.address !== address) };
}

export function addZone(draft: Draft, zone: Zone): Draft {
  return { ...draft, zones: [...draft.zones, zone] };
}
export function changeZone(draft: Draft, index: number, change: Partial<Zone>): Draft {
  return { ...draft, zones: draft.zones.map((z, i) => (i === index ? { ...z, ...change } : z)) };
}
export function removeZone(draft: Draft, index: number): Draft {
  return { ...draft, zones: draft.zones.filter((_, i) => i !== index) };
}
export function moveCorner(draft: Draft, index: number, corner: number, vertex: Vertex): Draft {
  const zone = draft.zones[index];
  return zone ? changeZone(draft, index, { polygon: zone.polygon.map((v, i) => (i === corner ? vertex : v)) }) : draft;
}
/** A new corner in the middle of the edge behind `corner`. */
export function splitEdge(draft: Draft, index: number, corner: number): Draft {
  const zone = draft.zones[index];
  const a = zone?.polygon[corner];
  const b = zone?.polygon[(corner + 1) % zone.polygon.length];
  if (!zone || !a || !b) return draft;
  const middle: Vertex = [tenth((a[0] + b[0]) / 2), tenth((a[1] + b[1]) / 2)];
  return changeZone(draft, index, { polygon: [...zone.polygon.slice(0, corner + 1), middle, ...zone.polygon.slice(corner + 1)] });
}
export function removeCorner(draft: Draft, index: number, corner: number): Draft {
  const zone = draft.zones[index];
  return zone && zone.polygon.length > 3 ? changeZone(draft, index, { polygon: zone.polygon.filter((_, i) => i !== corner) }) : draft;
}

/** Another drawing: everything keeps its place in proportion. */
export function redraw(draft: Draft, drawing: Drawing): Draft {
  const kx = drawing.width / draft.width;
  const ky = drawing.height / draft.height;
  return {
    drawing, width: drawing.width, height: drawing.height,
    zones: draft.zones.map((z) => ({ ...z, polygon: z.polygon.map(([x, y]): Vertex => [tenth(x * kx), tenth(y * ky)]) })),
    placements: draft.placements.map((p) => ({ ...p, x: tenth(p.x * kx), y: tenth(p.y * ky) })),
  };
}

/** An id for a zone that no other has: `zone-1`, `zone-2`. */
export function freshId(draft: Draft): string {
  let n = 1;
  while (draft.zones.some((z) => z.id === `zone-${n}`)) n += 1;
  return `zone-${n}`;
}

/** Where the name of a zone stands: the left end of its upper side. */
export function corner(polygon: Vertex[]): Vertex {
  const top = Math.min(...polygon.map((v) => v[1]));
  return [Math.min(...polygon.filter((v) => v[1] <= top + 1).map((v) => v[0])), top];
}
