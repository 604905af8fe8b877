// The contrast table of the design, recomputed from the CSS file.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync('src/styles/tokens.css', 'utf8');
const themes: Record<string, Record<string, string>> = {};
for (const block of css.matchAll(/data-theme='(\w+)'\]\s*\{([^}]*)\}/g)) {
  themes[block[1] as string] = Object.fromEntries([...(block[2] as string).matchAll(/--([\w-]+):\s*([^;]+);/g)].map((m) => [m[1] as string, (m[2] as string).trim()]));
}

function luminance(hex: string): number {
  const channels = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * (channels[0] as number) + 0.7152 * (channels[1] as number) + 0.0722 * (channels[2] as number);
}
function contrast(a: string, b: string): number {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (hi + 0.05) / (lo + 0.05);
}

const planes = ['bg-page', 'bg-panel', 'bg-tile'] as const;
const token = (theme: string, name: string): string => {
  const value = themes[theme]?.[name];
  if (!value) throw new Error(`tokens.css has no --${name} in theme ${theme}`);
  return value;
};

describe.each(['night', 'day'])('theme %s', (theme) => {
  it.each(['text', 'text-2', 'text-mute', 'value', 'link', 'manual'])('%s is readable on all planes (4.5)', (name) => {
    for (const plane of planes) expect(contrast(token(theme, name), token(theme, plane)), `${name} on ${plane}`).toBeGreaterThanOrEqual(4.5);
  });
  it.each(['equip', 'control', 'focus'])('%s can be seen on all planes (3.0)', (name) => {
    for (const plane of planes) expect(contrast(token(theme, name), token(theme, plane)), `${name} on ${plane}`).toBeGreaterThanOrEqual(3);
  });
  it('text is readable on selection and on the normal band', () => {
    expect(contrast(token(theme, 'text'), token(theme, 'select'))).toBeGreaterThanOrEqual(7);
    expect(contrast(token(theme, 'text'), token(theme, 'band'))).toBeGreaterThanOrEqual(4.5);
  });
  it('series can be told from the panel (3.3 with one decimal; 3.0 is the floor of WCAG)', () => {
    for (let i = 1; i <= 6; i += 1) expect(contrast(token(theme, `series-${i}`), token(theme, 'bg-panel')), `series-${i}`).toBeGreaterThanOrEqual(3.25);
  });
  it('numbers are readable inside the alarm shapes', () => {
    expect(contrast(token(theme, 'alarm-ink-1'), token(theme, 'alarm-1'))).toBeGreaterThanOrEqual(4.5);
    for (const n of [2, 3, 4]) expect(contrast(token(theme, 'ink'), token(theme, `alarm-${n}`)), `alarm-${n}`).toBeGreaterThanOrEqual(4.5);
  });
  it('real fire and drill have readable text', () => {
    expect(contrast(token(theme, 'fire-text'), token(theme, 'fire'))).toBeGreaterThanOrEqual(5.8);
    expect(contrast(token(theme, 'fire-text'), token(theme, 'drill-plate'))).toBeGreaterThanOrEqual(7);
  });
});

it('alarm shapes stand out: by their colour at night, by their ink outline in daylight', () => {
  for (const plane of planes) {
    for (const n of [1, 2, 3, 4]) expect(contrast(token('night', `alarm-${n}`), token('night', plane)), `night alarm-${n} on ${plane}`).toBeGreaterThanOrEqual(3);
    expect(contrast(token('day', 'alarm-edge'), token('day', plane))).toBeGreaterThanOrEqual(13);
  }
});

it('has the ratios that the design states', () => {
  expect(contrast(token('night', 'text'), token('night', 'bg-page'))).toBeCloseTo(12.8, 1);
  expect(contrast(token('night', 'alarm-1'), token('night', 'bg-tile'))).toBeCloseTo(3.6, 1);
  expect(contrast(token('day', 'text'), token('day', 'bg-tile'))).toBeCloseTo(16.5, 1);
  expect(contrast(token('day', 'control'), token('day', 'bg-page'))).toBeCloseTo(3.5, 1);
});

it('keeps alarm colours for alarms alone', () => {
  for (const theme of Object.values(themes)) {
    const alarm = ['alarm-1', 'alarm-2', 'alarm-3', 'alarm-4'].map((n) => theme[n]);
    for (const [name, value] of Object.entries(theme)) if (!name.startsWith('alarm-')) expect(alarm, name).not.toContain(value);
  }
});
