import { describe, expect, it } from 'vitest';
import type { Equipment } from '../../src/lib/types';
import { breakerId, electricalNodes, oneLine } from '../../src/topology/electrical';
import { walk } from '../../src/topology/graph';
import { plant, plantNodes } from '../../src/topology/plant';

const equipment = (address: string, cls: string, parameters: Record<string, string | number> = {}): Equipment => ({
  address, cls, name: { zh: address, en: address }, building: 'cityhall', system: address.split('.')[1] as string, floor: 'B1', area: '', wing: '', maker: '', model: '', serial: '', parameters,
});

describe('walk', () => {
  it('passes closed and stops at open nodes', () => {
    const { at, behind } = walk([{ id: 's', source: true }, { id: 'cb', conducts: false }, { id: 'load' }], [{ from: 's', to: 'cb' }, { from: 'cb', to: 'load' }]);
    expect(at.get('cb')).toBe('on');
    expect(behind.get('cb')).toBe('off');
    expect(at.get('load')).toBe('off');
  });
  it('hands on that nothing is known', () => {
    const { at } = walk([{ id: 's', source: true }, { id: 'cb', conducts: null }, { id: 'load' }], [{ from: 's', to: 'cb' }, { from: 'cb', to: 'load' }]);
    expect(at.get('load')).toBe('unknown');
  });
  it('takes the best of two supplies, in whatever order they come', () => {
    const nodes = [{ id: 'a', source: null }, { id: 'b', source: true }, { id: 'bus' }, { id: 'load' }];
    const links = [{ from: 'a', to: 'bus' }, { from: 'bus', to: 'load' }, { from: 'b', to: 'bus' }];
    expect(walk(nodes, links).at.get('load')).toBe('on');
    expect(walk([...nodes].reverse(), [...links].reverse()).at.get('load')).toBe('on');
  });
  it('ends in a ring', () => {
    const nodes = [{ id: 'a', source: true }, { id: 'b' }, { id: 'c' }];
    expect(walk(nodes, [{ from: 'a', to: 'b' }, { from: 'b', to: 'c' }, { from: 'c', to: 'b' }]).at.get('c')).toBe('on');
  });
  it('names a link to a node that is not drawn', () => {
    expect(() => walk([{ id: 'a' }], [{ from: 'a', to: 'x' }])).toThrow(/a → x/);
  });
});

describe('one-line', () => {
  const list = [
    equipment('cityhall.electrical.main', 'meter'),
    ...[2, 1].map((n) => equipment(`cityhall.electrical.tx${n}`, 'transformer', { feeds: `cityhall.electrical.lv${n}` })),
    ...[1, 2].map((n) => equipment(`cityhall.electrical.lv${n}`, 'meter', { fed_by: `cityhall.electrical.tx${n}` })),
    equipment('cityhall.electrical.feeder10', 'meter', { fed_by: 'cityhall.electrical.lv1' }),
    equipment('cityhall.electrical.feeder02', 'meter', { fed_by: 'cityhall.electrical.lv1' }),
    equipment('cityhall.electrical.feeder11', 'meter', { fed_by: 'cityhall.electrical.lv2' }),
    equipment('cityhall.plant.ch1', 'chiller', { fed_by: 'cityhall.electrical.feeder02' }),
  ];
  const line = oneLine(list);
  it('has a column a transformer with its bus and feeders, in order of their numbers', () => {
    expect(line.columns.map((c) => c.transformer.address)).toEqual(['cityhall.electrical.tx1', 'cityhall.electrical.tx2']);
    expect(line.columns[0]?.feeders.map((f) => f.address)).toEqual(['cityhall.electrical.feeder02', 'cityhall.electrical.feeder10']);
    expect(line.main?.address).toBe('cityhall.electrical.main');
  });
  it('goes dead behind an open breaker and nowhere else', () => {
    const { at } = walk(electricalNodes(line, true, (tx) => !tx.endsWith('tx2')), line.links);
    expect(at.get('cityhall.electrical.feeder02')).toBe('on');
    expect(at.get(breakerId('cityhall.electrical.tx2'))).toBe('on');
    expect(at.get('cityhall.electrical.lv2')).toBe('off');
    expect(at.get('cityhall.electrical.feeder11')).toBe('off');
  });
  it('is unknown as a whole when the supply is unknown', () => {
    const { at } = walk(electricalNodes(line, null, () => true), line.links);
    expect(at.get('cityhall.electrical.feeder11')).toBe('unknown');
  });
});

describe('plant', () => {
  const list = [
    equipment('cityhall.plant.header', 'plant_header'),
    ...[1, 2].map((n) => equipment(`cityhall.plant.ch${n}`, 'chiller')),
    ...[1, 2].map((n) => equipment(`cityhall.plant.cwp${n}`, 'pump', { loop: 'condenser' })),
    ...[1, 2].map((n) => equipment(`cityhall.plant.chwp${n}`, 'pump', { loop: 'chilled' })),
    equipment('cityhall.plant.ct1', 'cooling_tower'),
  ];
  const p = plant(list);
  const flow = (on: string[]) => walk(plantNodes(p, (a) => on.some((name) => a.endsWith(`.${name}`))), p.links);
  it('sorts pumps by their loop', () => {
    expect(p.condenserPumps.map((e) => e.address)).toEqual(['cityhall.plant.cwp1', 'cityhall.plant.cwp2']);
    expect(p.header?.address).toBe('cityhall.plant.header');
  });
  it('flows where a pump runs', () => {
    const { at, behind } = flow(['cwp1', 'ch1']);
    expect(at.get('cityhall.plant.ct1')).toBe('on');
    expect(behind.get('cityhall.plant.ch1#condenser')).toBe('on');
    expect(behind.get('cityhall.plant.ch2#condenser')).toBe('off');
    expect(behind.get('cityhall.plant.cwp2')).toBe('off');
    expect(at.get('chw-supply')).toBe('off');
  });
  it('stands when nothing runs', () => {
    const { at } = flow(['ch1']);
    expect([...at.values()].every((v) => v === 'off')).toBe(true);
  });
});
