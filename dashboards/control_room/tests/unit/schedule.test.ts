// How schedules are drawn, what a day of the week has, and what a form refuses before anything is sent.
import { describe, expect, it } from 'vitest';
import { bars, busy, commonModes, level, spansOf, upcoming, wrong, type Interval, type Plan } from '../../src/lib/schedule';

const name = (text: string) => ({ zh: text, en: text });
const cause = { kind: 'pattern' as const, id: '', name: name('') };
const plan = (id: string, modes: string[], more: Partial<Plan> = {}): Plan => ({
  id, name: name(id), areas: [], equipment: [], tags: [], modes: modes.map((m) => ({ id: m, name: name(m), values: {} })), weekly: [], default: modes.at(-1) ?? '',
  booking: null, stagger_s: 0, enabled: true, now: { mode: '', cause, since: null, until: null }, next: null, different: [],
  points: { wanted: 0, effective: 0, masked: 0, refused: 0 }, change: null, ...more,
});
const at = (iso: string): number => Date.parse(iso);
const one = (start: string, end: string, mode: string): Interval => ({ start, end, mode, cause });

describe('schedules', () => {
  it('draws the default and what is released as a line, and each other mode at a height of its own', () => {
    const park = plan('park', ['peak', 'base', 'night']);
    expect(['peak', 'base', 'night', ''].map((mode) => level(park, mode))).toEqual([1, expect.closeTo(0.45), 0, 0]);
    expect(level(plan('office', ['on', 'off']), 'on')).toBe(1);
    expect(busy(park, 'night')).toBe(false);
  });
  it('cuts bars at the ends of what is shown', () => {
    const found = bars(plan('office', ['on', 'off']), [one('2026-11-26T10:00:00Z', '2026-11-27T06:00:00Z', 'on'), one('2026-11-27T06:00:00Z', '2026-11-29T00:00:00Z', 'off'), one('2026-11-30T00:00:00Z', '2026-11-30T01:00:00Z', 'on')], at('2026-11-27T00:00:00Z'), at('2026-11-28T00:00:00Z'));
    expect(found.map((bar) => [bar.left, bar.width, bar.level])).toEqual([[0, 0.25, 1], [0.25, 0.75, 0]]);
  });
  it('has a make-up workday like a Friday unless it has hours of its own', () => {
    const week = plan('office', ['on', 'off'], { weekly: [{ days: ['fri'], from: '13:00', to: '17:00', mode: 'on' }, { days: ['thu', 'fri'], from: '08:00', to: '12:00', mode: 'on' }] });
    expect(spansOf(week, 'makeup').map((span) => span.from)).toEqual(['08:00', '13:00']);
    expect(spansOf(week, 'holiday')).toEqual([]);
    const own = plan('own', ['on'], { weekly: [{ days: ['makeup'], from: '09:00', to: '10:00', mode: 'on' }, ...week.weekly] });
    expect(spansOf(own, 'makeup').map((span) => span.from)).toEqual(['09:00']);
  });
  it('says what changes first', () => {
    const next = (atTime: string) => ({ next: { at: atTime, mode: 'on', cause } });
    const list = [plan('late', ['on'], next('2026-11-28T01:00:00.000Z')), plan('never', ['on']), plan('soon', ['on'], next('2026-11-27T23:00:00.000Z'))];
    expect(upcoming(list).map((p) => p.id)).toEqual(['soon', 'late']);
  });
  it('offers only modes that all chosen schedules have', () => {
    expect(commonModes([plan('a', ['on', 'off']), plan('b', ['off', 'night'])]).map((m) => m.id)).toEqual(['off']);
    expect(commonModes([])).toEqual([]);
  });
  it.each([
    [['mon'], '08:00', '24:00', ''],
    [[], '08:00', '12:00', 'days'],
    [['mon'], '8:00', '12:00', 'time'],
    [['mon'], '24:00', '24:00', 'time'],
    [['mon'], '22:00', '06:00', 'order'],
  ] as const)('checks %j %s–%s', (days, from, to, said) => {
    expect(wrong({ days: [...days], from, to, mode: 'on' })).toBe(said);
  });
});
