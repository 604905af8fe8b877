// Quality of a value: the numbers of the stream and how each state is shown (form first, colour last).
import type { MessageKey } from './i18n';

export const Quality = {
  GOOD: 0,
  GOOD_OVERRIDDEN: 1,
  UNCERTAIN_STALE: 64,
  UNCERTAIN_RANGE: 65,
  UNCERTAIN_SUBSTITUTE: 66,
  BAD_COMM: 128,
  BAD_DEVICE: 129,
  BAD_SENSOR: 130,
  BAD_CONFIG: 131,
  BAD_OUT_OF_SERVICE: 132,
  /** Not a quality of the wire: nothing has been received for this point yet. */
  NOT_LOADED: 255,
} as const;

export type Glyph = 'none' | 'hand' | 'question' | 'tilde' | 'clock' | 'link' | 'sensor' | 'gear' | 'wrench';
export type Look = 'good' | 'overridden' | 'stale' | 'range' | 'substituted' | 'bad' | 'out' | 'loading';

export interface Treatment {
  look: Look;
  glyph: Glyph;
  label: MessageKey;
  /** True when the number itself is shown. */
  shows: boolean;
}

const treatments: Record<number, Treatment> = {
  [Quality.GOOD]: { look: 'good', glyph: 'none', label: 'quality.good', shows: true },
  [Quality.GOOD_OVERRIDDEN]: { look: 'overridden', glyph: 'hand', label: 'quality.overridden', shows: true },
  [Quality.UNCERTAIN_STALE]: { look: 'stale', glyph: 'clock', label: 'quality.stale', shows: true },
  [Quality.UNCERTAIN_RANGE]: { look: 'range', glyph: 'question', label: 'quality.range', shows: true },
  [Quality.UNCERTAIN_SUBSTITUTE]: { look: 'substituted', glyph: 'tilde', label: 'quality.substituted', shows: true },
  [Quality.BAD_COMM]: { look: 'bad', glyph: 'link', label: 'quality.comm', shows: false },
  [Quality.BAD_DEVICE]: { look: 'bad', glyph: 'sensor', label: 'quality.device', shows: false },
  [Quality.BAD_SENSOR]: { look: 'bad', glyph: 'sensor', label: 'quality.sensor', shows: false },
  [Quality.BAD_CONFIG]: { look: 'bad', glyph: 'gear', label: 'quality.config', shows: false },
  [Quality.BAD_OUT_OF_SERVICE]: { look: 'out', glyph: 'wrench', label: 'quality.out', shows: false },
  [Quality.NOT_LOADED]: { look: 'loading', glyph: 'none', label: 'quality.loading', shows: false },
};

/** Treatment of a quality number; numbers of a newer controller fall back to their severity. */
export function treatment(quality: number): Treatment {
  const known = treatments[quality];
  if (known) return known;
  if (quality < 64) return treatments[Quality.GOOD] as Treatment;
  if (quality < 128) return { look: 'range', glyph: 'question', label: 'quality.uncertain', shows: true };
  return { look: 'bad', glyph: 'sensor', label: 'quality.bad', shows: false };
}

export const isGood = (quality: number): boolean => quality < 64;
export const isBad = (quality: number): boolean => quality >= 128;

/** A good value of a point that a person holds is an overridden one; anything worse stays what it is. */
export function overridden(quality: number, manual: boolean): number {
  return manual && quality === Quality.GOOD ? Quality.GOOD_OVERRIDDEN : quality;
}

/** Quality as this page may claim it: with the connection lost every received value is old. */
export function seen(quality: number, lost: boolean): number {
  return lost && quality < 128 ? Quality.UNCERTAIN_STALE : quality;
}
