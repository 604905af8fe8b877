// A value of a point in words: with unit, state name, or yes and no.
import { decimalsOf, number, unitText } from './format';
import { name, t } from './i18n';
import type { Point } from './types';

export function pointText(point: Point, value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '—';
  if (point.states.length > 0) {
    const state = point.states.find((s) => s.value === Math.round(value));
    return state ? name(state.name) : number(value, 0);
  }
  if (point.kind === 'binary') return t(value >= 0.5 ? 'state.on' : 'state.off');
  const unit = unitText(point.unit);
  return `${number(value, decimalsOf(point.unit, point.decimals))}${unit ? ` ${unit}` : ''}`;
}
