// How each quality is rendered: the form must tell it without colour.
import { render } from '@testing-library/svelte';
import { flushSync } from 'svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import Value from '../../src/components/Value.svelte';
import { live } from '../../src/lib/live.svelte';
import { overridden, Quality, seen, treatment } from '../../src/lib/quality';
import { station } from '../../src/lib/station.svelte';
import type { Point } from '../../src/lib/types';

const point = (more: Partial<Point> = {}): Point => ({
  number: 11, address: 'b.s.e.t', kind: 'analog', unit: '°C', name: { zh: '溫度', en: 'Temperature' }, equipment: 'b.s.e', device: 'd', tag: 't', low: 0, high: 100, decimals: 1, deadband: 0,
  stale_s: 30, states: [], limits: { high_high: null, high: null, low: null, low_low: null }, write: null, area: '', system: 's', floor: '', ...more,
});
const show = (value: number, quality: number, more: Partial<Point> = {}) => {
  live.store.put(11, value, quality, live.now - 190_000);
  const { container } = render(Value, { point: point(more) });
  flushSync();
  return { text: container.textContent?.replace(/\s+/g, ' ').trim() ?? '', link: container.querySelector('a') as HTMLAnchorElement, number: container.querySelector('.number') as HTMLElement, glyph: container.querySelector('svg') };
};

beforeEach(() => {
  vi.useRealTimers();
  station.setLanguage('zh-TW');
  live.connection = 'live';
});

describe('Value', () => {
  it('good: number and unit, no glyph', () => {
    const { text, glyph } = show(23.44, Quality.GOOD);
    expect(text).toBe('23.4 °C');
    expect(glyph).toBeNull();
  });
  it('overridden: boxed with a hand', () => {
    const { number, glyph, link } = show(23.4, Quality.GOOD_OVERRIDDEN);
    expect(number.className).toContain('overridden');
    expect(glyph).not.toBeNull();
    expect(link.getAttribute('aria-label')).toContain('手動覆寫');
  });
  it('stale: its age instead of its unit', () => {
    const { text, link } = show(23.4, Quality.UNCERTAIN_STALE);
    expect(text).toBe('23.4 · 3 分前');
    expect(link.getAttribute('aria-label')).toContain('資料過期');
  });
  it('out of range: question mark; substituted: tilde', () => {
    expect(show(230, Quality.UNCERTAIN_RANGE).text).toContain('230.0?');
    expect(show(23.4, Quality.UNCERTAIN_SUBSTITUTE).text).toContain('~23.4');
  });
  it('out of service: the word, never the number, with the wrench', () => {
    const { text, glyph } = show(23.4, Quality.BAD_OUT_OF_SERVICE);
    expect(text).toBe('停用');
    expect(glyph).not.toBeNull();
  });
  it.each([Quality.BAD_COMM, Quality.BAD_DEVICE, Quality.BAD_SENSOR, Quality.BAD_CONFIG])('bad %i: a dash, never the number, with a glyph', (quality) => {
    const { text, glyph } = show(23.4, quality);
    expect(text).toBe('—');
    expect(glyph).not.toBeNull();
  });
  it('not loaded: a skeleton', () => {
    live.store.forget(11);
    const { container } = render(Value, { point: point() });
    expect(container.querySelector('.skeleton')).not.toBeNull();
  });
  it('all looks stale when the connection is lost', () => {
    live.connection = 'lost';
    expect(show(23.4, Quality.GOOD).text).toContain('分前');
  });
  it('states are words in the station’s language', () => {
    const states = [{ value: 2, name: { zh: '運轉', en: 'Running' } }];
    expect(show(2, Quality.GOOD, { kind: 'multistate', unit: '', states }).text).toBe('運轉');
    station.setLanguage('en');
    expect(show(2, Quality.GOOD, { kind: 'multistate', unit: '', states }).text).toBe('Running');
    expect(show(1, Quality.GOOD, { kind: 'binary', unit: '' }).text).toBe('Yes');
  });
});

describe('treatment', () => {
  it('gives each quality of the wire a form of its own', () => {
    const looks = [0, 1, 64, 65, 66, 128, 130, 131, 132].map((q) => `${treatment(q).look} ${treatment(q).glyph}`);
    expect(new Set(looks).size).toBe(looks.length);
  });
  it('falls back to the severity of qualities it does not know', () => {
    expect(treatment(63).look).toBe('good');
    expect(treatment(90).label).toBe('quality.uncertain');
    expect(treatment(200).shows).toBe(false);
  });
  it('never makes a bad value better when the connection is lost', () => {
    expect(seen(Quality.GOOD, true)).toBe(Quality.UNCERTAIN_STALE);
    expect(seen(Quality.BAD_COMM, true)).toBe(Quality.BAD_COMM);
    expect(seen(Quality.NOT_LOADED, true)).toBe(Quality.NOT_LOADED);
  });
  it('shows a good value that a person holds as overridden, and nothing worse as better', () => {
    expect(overridden(Quality.GOOD, true)).toBe(Quality.GOOD_OVERRIDDEN);
    expect(overridden(Quality.GOOD, false)).toBe(Quality.GOOD);
    expect(overridden(Quality.UNCERTAIN_STALE, true)).toBe(Quality.UNCERTAIN_STALE);
    expect(overridden(Quality.BAD_COMM, true)).toBe(Quality.BAD_COMM);
  });
});
