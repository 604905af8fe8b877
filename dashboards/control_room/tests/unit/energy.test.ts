import { describe, expect, it } from 'vitest';
import { change, lastDay, months, percent, rest, roundStep, ticks, type Statement } from '../../src/lib/energy';
import { busy, open, size, type Reports, type Run } from '../../src/lib/report';

const use = (kwh: number | null, whole = true) => ({ id: 'x', name: { zh: 'x', en: 'x' }, kwh, whole });
const statement = (kwh: number | null, uses: ReturnType<typeof use>[], whole = true): Statement => ({
  kind: 'month', first: '2026-11-01', start: '', end: '', until: '', over: false, kwh, unplaced_kwh: 0, windows: 96, missing: 0, quality: 1, whole, resets: 0,
  periods: [], peak: null, contract: null, days: [], load: [], before: [], uses, carbon: null, bill: null,
});

describe('figures of energy', () => {
  it('never shows a share as whole that is not', () => {
    expect(percent(0.9997)).toBe('99.9\u00a0%');
    expect(percent(1)).toBe('100.0\u00a0%');
    expect(percent(0.25)).toBe('25.0\u00a0%');
    expect(percent(-0.061)).toBe('\u22126.1\u00a0%');
  });
  it('compares only what is known', () => {
    expect(change(use(110), use(100))).toBeCloseTo(0.1);
    expect(change(use(null), use(100))).toBeNull();
    expect(change(use(110), use(null))).toBeNull();
    expect(change(use(110), use(0))).toBeNull();
    expect(change(use(110, false), use(100))).toBeNull();
    expect(change(use(110), use(100, false))).toBeNull();
  });
  it('knows the rest only where everything is known', () => {
    expect(rest(statement(100, [use(30), use(50)]))).toBe(20);
    expect(rest(statement(100, [use(30), use(null)]))).toBeNull();
    expect(rest(statement(100, [use(30, false)]))).toBeNull();
    expect(rest(statement(100, [use(30)], false))).toBeNull();
    expect(rest(statement(null, [use(30)]))).toBeNull();
    expect(rest(statement(100, []))).toBeNull();
  });
  it('has an axis of round steps that ends above the highest value', () => {
    expect(roundStep(1130)).toBe(2000);
    expect(roundStep(0.3)).toBe(1);
    expect(ticks(4520)).toEqual([0, 2000, 4000, 6000]);
    expect(ticks(4000)).toEqual([0, 1000, 2000, 3000, 4000, 5000]);
    expect(ticks(0)).toEqual([0, 1]);
    expect(ticks(-Infinity)).toEqual([0, 1]);
  });
  it('knows how long a month is', () => {
    expect(['2026-02-01', '2024-02-01', '2026-12-01', '2026-11-01'].map(lastDay)).toEqual([28, 29, 31, 30]);
  });
  it('lists months over New Year, newest first', () => {
    expect(months('2026-02-28', 4)).toEqual(['2026-02-01', '2026-01-01', '2025-12-01', '2025-11-01']);
  });
});

describe('reports', () => {
  const run = (state: Run['state']): Run => ({ id: state, kind: 'day', first: '2026-11-01', by: 'x', state, asked: null, ended: null, message: '' });
  const list = (...states: Run['state'][]): Reports => ({ items: [], runs: states.map(run), schedule: [] });
  it('are asked for again while one is being made', () => {
    expect(busy(list('done', 'writing'))).toBe(true);
    expect(busy(list('done', 'failed'))).toBe(false);
    expect(busy(undefined)).toBe(false);
  });
  it('show what is being made and what failed', () => {
    expect(open(list('done', 'failed', 'waiting')).map((one) => one.state)).toEqual(['failed', 'waiting']);
    expect(size(104_000)).toBe('102 kB');
    expect(size(3)).toBe('1 kB');
  });
});
