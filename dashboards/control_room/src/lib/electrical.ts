// Positions of the breakers as the cubicle reports them.
import type { Position } from '../symbols/Breaker.svelte';
import { t, type MessageKey } from './i18n';
import { binary } from './state';
import { sites } from './site.svelte';

export function breaker(transformer: string): Position {
  if (binary(transformer, 'racked_in') === false) return 'out';
  const closed = binary(transformer, 'breaker_closed');
  if (closed === null) return 'unknown';
  if (closed) return 'closed';
  return binary(transformer, 'breaker_tripped') === true ? 'tripped' : 'open';
}

const WORDS: Record<Position, MessageKey> = { closed: 'state.closed', open: 'state.open', tripped: 'state.tripped', out: 'state.racked-out', unknown: 'state.unknown' };
export const breakerWord = (position: Position): string => t(WORDS[position]);

/** Voltage at the supply: true above a tenth of the nominal, null when nothing is known. */
export function supplied(main: string): boolean | null {
  for (const tag of ['voltage_l12', 'voltage_l1n']) {
    const value = sites.value(main, tag);
    const quality = sites.quality(main, tag);
    if (Number.isFinite(value) && quality < 128) return value > 22;
  }
  return null;
}
