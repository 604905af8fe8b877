// Small decisions of the pages: keys, ranges, order of alarms and devices, air quality, comfort, scales.
import { describe, expect, it } from 'vitest';
import { needsAcknowledge, worstFirst } from '../../src/lib/alarms.svelte';
import { reason, roomReason, type AirHandler, type FanCoil } from '../../src/lib/comfort';
import { errorRate, worstDevice } from '../../src/lib/devices.svelte';
import { held } from '../../src/lib/hold';
import { ACT, heat, inActUnit, rank, type ActRow } from '../../src/lib/iaq';
import { Keys, type KeyPress } from '../../src/lib/keyboard';
import { bucketsFor, isoTaipei, resolve } from '../../src/lib/range';
import { scaleOf } from '../../src/lib/scale';
import { station } from '../../src/lib/station.svelte';
import { unitWord } from '../../src/lib/strategy';
import type { Alarm, Device, Point } from '../../src/lib/types';

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });
const free = { typing: false, letters: true };

describe('keys', () => {
  it('g then a letter goes to a page, for a while', () => {
    let now = 0;
    const keys = new Keys(() => now);
    expect(keys.read(press('g'), free)).toBeNull();
    expect(keys.read(press('e'), free)).toEqual({ kind: 'go', path: '/electrical' });
    keys.read(press('g'), free);
    now = 2000;
    expect(keys.read(press('e'), free)).toBeNull();
  });
  it('letters are dead in inputs and when turned off; Ctrl-K and F keys are not', () => {
    const keys = new Keys(() => 0);
    expect(keys.read(press('/'), free)).toEqual({ kind: 'search' });
    expect(keys.read(press('/'), { ...free, typing: true })).toBeNull();
    expect(keys.read(press('a'), { ...free, letters: false })).toBeNull();
    expect(keys.read(press('k', { ctrlKey: true }), { typing: true, letters: false })).toEqual({ kind: 'search' });
    expect(keys.read(press('F8'), { typing: true, letters: false })).toEqual({ kind: 'worst' });
    expect(keys.read(press('a', { ctrlKey: true }), free)).toBeNull();
  });
});

describe('ranges', () => {
  const now = Date.parse('2026-11-23T14:05:09+08:00');
  it('begin at midnight in Taipei', () => {
    expect(isoTaipei(resolve('today', null, null, now).start)).toBe('2026-11-23T00:00:00+08:00');
    expect(isoTaipei(resolve('yesterday', null, null, now).end)).toBe('2026-11-23T00:00:00+08:00');
    expect(isoTaipei(resolve('last-month', null, null, now).start)).toBe('2026-10-01T00:00:00+08:00');
    expect(isoTaipei(resolve('month', null, null, now).end)).toBe('2026-12-01T00:00:00+08:00');
  });
  it('of the address come first, and nonsense is a day', () => {
    expect(resolve('1h', '2026-11-01T00:00:00+08:00', '2026-11-02T00:00:00+08:00', now)).toMatchObject({ live: false, end: Date.parse('2026-11-02T00:00:00+08:00') });
    const day = resolve('?', 'x', 'y', now);
    expect(day.end - day.start).toBe(86_400_000);
    expect(day.live).toBe(true);
  });
  it('ask for no more buckets than the drawing can show', () => {
    expect(bucketsFor({ start: 0, end: 86_400_000, live: true }, 1000)).toBe(500);
    expect(bucketsFor({ start: 0, end: 30_000, live: true }, 1000)).toBe(30);
  });
});

const alarm = (id: string, more: Partial<Alarm>): Alarm => ({ id, state: 'acknowledged', priority: 3, life_safety: false, raised_at: '2026-01-01T00:00:00Z', ...more }) as Alarm;
describe('alarms', () => {
  it('are sorted: life safety, waiting, priority, newest', () => {
    const list = [
      alarm('old', { priority: 1, raised_at: '2025-01-01T00:00:00Z' }), alarm('new', { priority: 1 }), alarm('low waiting', { priority: 4, state: 'unacknowledged' }),
      alarm('returned', { priority: 2, state: 'returned' }), alarm('life', { life_safety: true, priority: 4 }),
    ];
    expect([...list].sort(worstFirst).map((a) => a.id)).toEqual(['life', 'returned', 'low waiting', 'new', 'old']);
  });
  it('wait until somebody has seen them, also when they have returned or latched', () => {
    expect(['unacknowledged', 'returned', 'latched_unacknowledged'].every((state) => needsAcknowledge(alarm('a', { state: state as Alarm['state'] })))).toBe(true);
    expect(['acknowledged', 'latched_acknowledged', 'normal'].some((state) => needsAcknowledge(alarm('a', { state: state as Alarm['state'] })))).toBe(false);
  });
});

describe('devices', () => {
  const device = (id: string, state: Device['state'], errors = 0): Device => ({ id, state, errors, polls: 100 }) as Device;
  it('are sorted worst first', () => {
    const list = [device('em10', 'good'), device('em2', 'good'), device('bad', 'good', 50), device('x', 'lost'), device('off', 'disabled'), device('r', 'refused')];
    expect([...list].sort(worstDevice).map((d) => d.id)).toEqual(['x', 'r', 'bad', 'em2', 'em10', 'off']);
    expect(errorRate({ ...device('n', 'good'), polls: 0 })).toBe(0);
  });
});

describe('air quality', () => {
  const act = (id: string): ActRow => ACT.find((a) => a.id === id) as ActRow;
  it('is judged in the unit of the act, and an indicator is not judged at all', () => {
    expect(inActUnit(0.1, 'mg/m³', act('hcho'))).toBeCloseTo(0.0814, 6);
    expect(inActUnit(80, 'ppb', act('hcho'))).toBeCloseTo(0.08, 6);
    expect(inActUnit(60, 'ppb', act('o3'))).toBeCloseTo(act('o3').limit, 6);
    expect(inActUnit(1001, 'ppm', act('co2')) / act('co2').limit).toBeGreaterThan(1);
    expect(inActUnit(0.37, '', act('tvoc'))).toBeNaN();
  });
  it('knows the averaging time of each limit', () => {
    expect(ACT.map((a) => [a.id, a.limit, a.hours])).toEqual([['co2', 1000, 8], ['co', 9, 8], ['o3', 0.06, 8], ['hcho', 0.08, 1], ['tvoc', 0.56, 1], ['pm25', 35, 24], ['pm10', 75, 24]]);
    for (const a of ACT) expect(a.mean).toBe(`${a.id}_${a.hours}h`);
  });
  it('shows children first and their station before their room sensors', () => {
    const places = [['west', 'iaq_station'], ['kindergarten', 'environment'], ['childcare', 'environment'], ['kindergarten', 'iaq_station'], ['childcare', 'iaq_station']] as const;
    expect([...places].sort((a, b) => rank(a[0], a[1]) - rank(b[0], b[1])).map(([area, cls]) => `${area} ${cls}`)).toEqual(['childcare iaq_station', 'childcare environment', 'kindergarten iaq_station', 'kindergarten environment', 'west iaq_station']);
  });
  it('fills the heat-map by share of the limit', () => expect([Number.NaN, -1, 0, 0.19, 0.2, 0.99, 1, 7].map(heat)).toEqual([0, 0, 0, 0, 1, 4, 5, 5]));
});

describe('comfort', () => {
  const air = (more: Partial<AirHandler>): AirHandler => ({ zone: 27, deviation: 3, supply: 16, supplySetpoint: 16, valve: 50, filter: 100, filterLimit: 250, fan: true, fanFault: false, smoke: false, freeze: false, dirty: false, told: true, noAirflow: false, ...more });
  it.each([
    [{ smoke: true, fan: false }, 'floors.why.smoke'], [{ fan: false }, 'floors.why.fan-off'], [{ valve: 100 }, 'floors.why.valve-full'], [{ supply: 19 }, 'floors.why.supply-warm'],
    [{ filter: 260 }, 'floors.why.filter'], [{}, 'floors.why.unknown'], [{ deviation: -2 }, 'floors.why.overcooled'], [{ deviation: 0.2 }, 'floors.why.ok'], [{ deviation: Number.NaN }, 'floors.why.no-data'],
    [{ noAirflow: true, deviation: 0 }, 'air.why.no-airflow'], [{ told: false, fan: false }, 'air.why.off-hours'],
  ])('%j → %s', (more, key) => expect(reason(air(more)).key).toBe(key));
  it('says in one word what is measured, at any hour, and counts only who is there to feel it', () => {
    expect(reason(air({ told: false, fan: false }))).toMatchObject({ uncomfortable: false, word: 'air.word.warm' });
    expect(reason(air({}))).toMatchObject({ uncomfortable: true, word: 'air.word.warm' });
    expect(reason(air({ deviation: -2 })).word).toBe('air.word.cold');
    expect(reason(air({ deviation: 1.4 })).word).toBe('');
  });
  const coil = (more: Partial<FanCoil>): FanCoil => ({ zone: 28, deviation: 2, speed: 2, valve: true, occupied: true, ...more });
  it.each([
    [{ deviation: 0.5 }, 'floors.why.ok'], [{ occupied: false }, 'air.why.vacant'], [{ speed: 0 }, 'floors.why.fan-off'], [{ valve: false }, 'air.why.valve-shut'], [{ speed: 3 }, 'air.why.full-speed'],
    [{ deviation: -2 }, 'air.why.coil-on'], [{ deviation: -2, valve: false }, 'floors.why.unknown'], [{ deviation: Number.NaN }, 'floors.why.no-data'],
  ])('of a room: %j → %s', (more, key) => expect(roomReason(coil(more)).key).toBe(key));
});

describe('range bar', () => {
  const point = (more: Partial<Point>): Point => ({ unit: '°C', low: null, high: null, limits: { high_high: null, high: null, low: null, low_low: null }, ...more }) as Point;
  it('takes the scale of the caller, else narrows to the limits, else the unit', () => {
    expect(scaleOf(point({ low: -50, high: 500 }), 0, 180)).toEqual({ low: 0, high: 180 });
    const narrowed = scaleOf(point({ low: -50, high: 500, limits: { high_high: null, high: 9, low: 5, low_low: null } }));
    expect(narrowed.low).toBeGreaterThan(0);
    expect(narrowed.high).toBeLessThan(20);
    expect(scaleOf(point({ unit: '%' }))).toEqual({ low: 0, high: 100 });
  });
});

describe('held values', () => {
  it('fill a gap with the value before it, joined to both sides', () => {
    expect(held([1, null, null, 4], null)).toEqual([1, 1, 1, 1]);
    expect(held([1, 2, 3], 9)).toEqual([null, null, null]);
  });
  it('begin with the value before the window and never go past now', () => {
    expect(held([null, null, 5, null, null], 2, 3)).toEqual([2, 2, 5, 5, null]);
    expect(held([null, null], null)).toEqual([null, null]);
  });
});

it('writes units as the language of the station does', () => {
  const before = station.language;
  station.language = 'zh-TW';
  expect(['NT$', 'min', 'h', 'kW', 'degC', ''].map(unitWord)).toEqual(['元', '分', '小時', 'kW', '°C', '']);
  station.language = 'en';
  expect(['NT$', 'min', 'kW'].map(unitWord)).toEqual(['NT$', 'min', 'kW']);
  station.language = before;
});
