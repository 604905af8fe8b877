import { describe, expect, it } from 'vitest';
import { balance, flatten, leaking, meterTree, night, nights, since, type Night } from '../../src/lib/balance';
import type { Equipment, HistorySeries } from '../../src/lib/types';

const meter = (address: string, fed_by = ''): Equipment => ({
  address, cls: 'meter', name: { zh: address, en: address }, building: 'b', system: 'electrical', floor: '', area: '', wing: '', maker: '', model: '', serial: '', parameters: fed_by ? { fed_by } : {},
});
const list = [meter('b.e.f10', 'b.e.lv1'), meter('b.e.f2', 'b.e.lv1'), meter('b.e.lv1', 'b.e.main'), meter('b.e.main'), meter('b.e.alone', 'b.e.gone')];
const reader = (values: Record<string, number | null>) => (address: string): number | null => values[address] ?? null;

describe('meter tree', () => {
  const roots = meterTree(list);
  it('hangs each meter on the one that feeds it, in order of their numbers', () => {
    expect(roots.map((r) => r.equipment.address)).toEqual(['b.e.main', 'b.e.alone']);
    expect(roots[0]?.children[0]?.children.map((c) => c.equipment.address)).toEqual(['b.e.f2', 'b.e.f10']);
  });
  it('has the difference between main and subs', () => {
    const lv = roots[0]?.children[0];
    if (!lv) throw new Error('no bus');
    expect(balance(lv, reader({ 'b.e.lv1': 100, 'b.e.f2': 60, 'b.e.f10': 30 }))).toEqual({ own: 100, sum: 90, count: 2, missing: 0, residue: 10, share: 10 });
  });
  it('says what is missing and makes no zero of it', () => {
    const lv = roots[0]?.children[0];
    if (!lv) throw new Error('no bus');
    expect(balance(lv, reader({ 'b.e.lv1': 100, 'b.e.f2': 60 }))).toMatchObject({ sum: 60, missing: 1, residue: 40 });
    expect(balance(lv, reader({ 'b.e.f2': 60, 'b.e.f10': 30 }))).toMatchObject({ own: null, sum: 90, residue: null, share: null });
  });
  it('shows what is open, and in a search every match with what it hangs on', () => {
    expect(flatten(roots, new Set()).map((r) => r.node.equipment.address)).toEqual(['b.e.main', 'b.e.alone']);
    expect(flatten(roots, new Set(['b.e.main'])).map((r) => r.level)).toEqual([0, 1, 0]);
    expect(flatten(roots, new Set(), (e) => e.address.endsWith('f10')).map((r) => r.node.equipment.address)).toEqual(['b.e.main', 'b.e.lv1', 'b.e.f10']);
    expect(flatten(roots, new Set(), () => false)).toEqual([]);
  });
});

const HOUR = 3_600_000;
// 2026-07-15 02:00 in Taipei
const TWO = Date.parse('2026-07-14T18:00:00Z');
function counted(from: number, marks: (number | null)[]): HistorySeries {
  const kept = marks.map((v, i) => [from + i * (HOUR / 2), v] as const).filter(([, v]) => v !== null);
  return { address: '', number: 1, unit: '', resolution_s: 1800, time: kept.map(([t]) => t), min: kept.map(([, v]) => v), mean: [], max: [], last: kept.map(([, v]) => v), good: [], before: { time: from - 1, value: 10 } };
}

describe('night flow', () => {
  it('is of the nights that are over, the latest first', () => {
    expect(nights(TWO + 2 * HOUR)[0]).toBe(TWO);
    expect(nights(TWO + 2 * HOUR - 1)[0]).toBe(TWO - 24 * HOUR);
    expect(nights(TWO + 20 * HOUR)).toEqual([TWO, TWO - 24 * HOUR, TWO - 48 * HOUR]);
  });
  it('is steady only when it ran in every half hour', () => {
    // Buckets of 01:30, 02:00, 02:30, 03:00 and 03:30: the counter at their ends.
    expect(night(counted(TWO - HOUR / 2, [11, 12, 13, 14, 15]), TWO)).toEqual({ amount: 4, steady: true });
    expect(night(counted(TWO - HOUR / 2, [11, 12, null, 14, 15]), TWO)).toEqual({ amount: 4, steady: false });
    expect(night(counted(TWO - HOUR / 2, [null, null, null, null, null]), TWO)).toEqual({ amount: 0, steady: false });
  });
  it('is unknown without any reading before', () => {
    expect(night({ ...counted(TWO - HOUR / 2, [null]), before: null }, TWO)).toEqual({ amount: null, steady: false });
  });
  const steady: Night = { amount: 4, steady: true };
  it('is a leak after three nights and unknown before', () => {
    expect(leaking([steady, steady, steady])).toBe(true);
    expect(leaking([steady, { amount: 4, steady: false }, steady])).toBe(false);
    expect(leaking([steady, { amount: null, steady: false }, steady])).toBeNull();
    expect(leaking([{ amount: 0, steady: false }, { amount: null, steady: false }, steady])).toBe(false);
  });
});

describe('today', () => {
  const series = counted(TWO, [12, 15]);
  it('is the present less what the counter was at midnight', () => {
    expect(since(series, 17)).toBe(7);
    expect(since({ ...series, before: null }, 17)).toBe(5);
  });
  it('is unknown when the counter went back or says nothing', () => {
    expect(since(series, 3)).toBeNull();
    expect(since(series, null)).toBeNull();
    expect(since(undefined, 3)).toBeNull();
  });
});
