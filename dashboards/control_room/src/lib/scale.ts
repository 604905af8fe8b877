// The fixed scale of a range bar: what the caller says, else the point's range, narrowed around its limits when it has some.
import type { Point } from './types';

const BY_UNIT: Record<string, [number, number]> = { '%': [0, 100], '°C': [0, 50], ppm: [400, 1500], Hz: [59, 61] };

export function scaleOf(point: Point | undefined, low?: number, high?: number): { low: number; high: number } {
  const l = point?.limits;
  const known = [l?.low_low, l?.low, l?.high, l?.high_high].filter((v): v is number => typeof v === 'number');
  let from = low ?? point?.low ?? Number.NaN;
  let to = high ?? point?.high ?? Number.NaN;
  if (known.length > 0 && low === undefined && high === undefined) {
    const least = Math.min(...known);
    const most = Math.max(...known);
    const room = Math.max((most - least) * 0.4, Math.abs(most) * 0.25, 1);
    const narrowLow = least === most && !(l?.low ?? l?.low_low) ? (Number.isFinite(from) && from >= 0 ? from : Math.min(0, least)) : least - room;
    from = Number.isFinite(from) ? Math.max(from, narrowLow) : narrowLow;
    to = Number.isFinite(to) ? Math.min(to, most + room) : most + room;
  }
  const unit = BY_UNIT[point?.unit ?? ''];
  if (!Number.isFinite(from)) from = unit?.[0] ?? 0;
  if (!Number.isFinite(to)) to = unit?.[1] ?? Math.max(from + 1, 100);
  if (to <= from) to = from + 1;
  return { low: from, high: to };
}
