// What the editor of floor plans does, without a browser.
import { describe, expect, it } from 'vitest';
import { deviation, heatStep, mainPoints, pointFor, type Lookup } from '../../src/lib/floor';
import { addZone, corner, freshId, mark, moveCorner, place, redraw, release, removeCorner, snap, snapCorner, splitEdge, Steps, type Draft, type Zone } from '../../src/lib/plan';
import type { Point } from '../../src/lib/types';

const zone = (id: string, x: number): Zone => ({ id, name: { zh: id, en: id }, polygon: [[x, 0], [x + 100, 0], [x + 100, 100], [x, 100]], holds: [] });
const empty: Draft = { width: 1200, height: 760, drawing: null, zones: [], placements: [] };
const point = (address: string, kind = 'analog', unit = ''): Point => ({ address, kind, unit, equipment: address.split('.').slice(0, 3).join('.') }) as unknown as Point;

describe('steps', () => {
  it('are taken back and forth, and a drag is one', () => {
    const steps = new Steps(empty);
    for (const x of [10, 20, 30]) steps.do(place(steps.now, 'a.b.c', [x, 0]), 'thing a.b.c');
    steps.settle();
    steps.do(place(steps.now, 'a.b.c', [40, 0]), 'thing a.b.c');
    expect(steps.undo()).toBe(true);
    expect(steps.now.placements[0]?.x).toBe(30);
    expect(steps.undo()).toBe(true);
    expect(steps.now).toEqual(empty);
    expect(steps.undo()).toBe(false);
    expect(steps.redo() && steps.redo()).toBe(true);
    expect(steps.now.placements[0]?.x).toBe(40);
    expect(steps.redo()).toBe(false);
  });
  it('forget the future when something else is done, and a step that changes nothing is none', () => {
    const steps = new Steps(empty);
    steps.do(place(empty, 'a.b.c', [10, 0]));
    steps.undo();
    steps.do(empty);
    expect(steps.redoable).toBe(true);
    steps.do(place(empty, 'x.y.z', [10, 0]));
    expect(steps.redoable).toBe(false);
  });
});

describe('places', () => {
  it('are on the grid and never outside of the drawing', () => {
    expect(snap(empty, [13.2, 757])).toEqual([15, 755]);
    expect(snap(empty, [-40, 9000])).toEqual([0, 760]);
    expect(snap(empty, [13.27, 5], true)).toEqual([13.3, 5]);
  });
  it('are given once a thing and given back', () => {
    const twice = place(place(empty, 'a.b.c', [1, 2]), 'a.b.c', [3, 4]);
    expect(twice.placements).toEqual([{ address: 'a.b.c', x: 3, y: 4 }]);
    expect(release(twice, 'a.b.c').placements).toEqual([]);
  });
});

describe('zones', () => {
  const draft = addZone(addZone(empty, zone('a', 0)), zone('b', 300));
  it('meet at corners and in line with them', () => {
    expect(snapCorner(draft, [104, 97])).toEqual([100, 100]);
    expect(snapCorner(draft, [103, 250])).toEqual([100, 250]);
    expect(snapCorner(draft, [1, 1], { zone: 0, corner: 0 })).toEqual([0, 0]);
  });
  it('gain and lose corners, but keep three', () => {
    const split = splitEdge(draft, 0, 3);
    expect(split.zones[0]?.polygon).toEqual([[0, 0], [100, 0], [100, 100], [0, 100], [0, 50]]);
    expect(moveCorner(split, 0, 4, [-5, 50]).zones[0]?.polygon[4]).toEqual([-5, 50]);
    let least = draft;
    for (let i = 0; i < 5; i += 1) least = removeCorner(least, 0, 0);
    expect(least.zones[0]?.polygon.length).toBe(3);
  });
  it('have an id of their own and a place for their name', () => {
    expect(freshId(addZone(draft, zone('zone-1', 600)))).toBe('zone-2');
    expect(corner([[50, 40], [90, 10], [20, 10], [0, 80]])).toEqual([20, 10]);
  });
  it('keep their proportions on another drawing', () => {
    const half = redraw(place(draft, 'a.b.c', [600, 380]), { id: 'x', kind: 'svg', width: 600, height: 380, file: '' });
    expect([half.width, half.height]).toEqual([600, 380]);
    expect(half.placements[0]).toEqual({ address: 'a.b.c', x: 300, y: 190 });
    expect(half.zones[1]?.polygon[0]).toEqual([150, 0]);
  });
});

describe('rooms', () => {
  it('deviate from their set-point, or from the comfort band without one', () => {
    expect(deviation('temperature', 25.4, 24)).toMatchObject({ side: 0 });
    expect(deviation('temperature', 26, 24)).toMatchObject({ side: 1, by: 2 });
    expect(deviation('temperature', 21, 24).weight).toBeCloseTo(2);
    expect(deviation('temperature', 29)).toMatchObject({ side: 1, by: 1 });
    expect(deviation('co2', 1500)).toMatchObject({ side: 1, weight: 1.5, by: 500 });
    expect(deviation('humidity', 25)).toMatchObject({ side: -1 });
    expect(deviation('people', 400)).toMatchObject({ side: 0, weight: 0 });
  });
  it('are never normal when nothing is known', () => {
    expect(deviation('co2', Number.NaN).weight).toBeNaN();
    expect(heatStep('co2', Number.NaN)).toBe(-1);
  });
  it('get darker with the value', () => {
    expect([400, 900, 1400, 9000].map((v) => heatStep('co2', v))).toEqual([1, 3, 5, 5]);
  });
  it('show what they have by tag, whatever their class', () => {
    const points = [point('a.b.c.run', 'binary'), point('a.b.c.return_co2'), point('a.b.c.zone_temp')];
    const look: Lookup = { tag: (e, tag) => points.find((p) => p.address === `${e}.${tag}`), points: () => points };
    expect(pointFor(look, 'a.b.c', 'co2')?.address).toBe('a.b.c.return_co2');
    expect(pointFor(look, 'a.b.c', 'pm25')).toBeUndefined();
    expect(pointFor(look, 'a.b.c', 'equipment')?.address).toBe('a.b.c.zone_temp');
    expect(pointFor({ tag: () => undefined, points: () => [point('a.b.d.odd')] }, 'a.b.d', 'equipment')?.address).toBe('a.b.d.odd');
    expect(mainPoints(points).map((p) => p.address)).toEqual(['a.b.c.zone_temp', 'a.b.c.return_co2', 'a.b.c.run']);
    expect(mark('cityhall.hvac.ahu_05f_w')).toBe('AHU-05F-W');
  });
});
