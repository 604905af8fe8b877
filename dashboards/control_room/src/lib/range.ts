// Time ranges of trends: presets and custom ranges, as they stand in the address. Taipei days (UTC+8, no summer time).

export const RANGES = ['15m', '1h', '8h', '24h', 'today', 'yesterday', '7d', 'month', 'last-month'] as const;
export type RangeId = (typeof RANGES)[number];
export interface Range { start: number; end: number; live: boolean }

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const OFFSET = 8 * HOUR;
const LENGTH: Partial<Record<RangeId, number>> = { '15m': 15 * MINUTE, '1h': HOUR, '8h': 8 * HOUR, '24h': DAY, '7d': 7 * DAY };

const midnight = (ms: number): number => Math.floor((ms + OFFSET) / DAY) * DAY - OFFSET;
const month = (ms: number, step: number): number => {
  const local = new Date(ms + OFFSET);
  return Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + step, 1) - OFFSET;
};

/** Range of an id, or of explicit ISO ends; `24h` when neither is understood. */
export function resolve(id: string | null, from: string | null, to: string | null, now: number): Range {
  if (from && to) {
    const start = Date.parse(from);
    const end = Date.parse(to);
    if (Number.isFinite(start) && Number.isFinite(end) && end > start) return { start, end, live: false };
  }
  switch (id) {
    case 'today': return { start: midnight(now), end: midnight(now) + DAY, live: true };
    case 'yesterday': return { start: midnight(now) - DAY, end: midnight(now), live: false };
    case 'month': return { start: month(now, 0), end: month(now, 1), live: true };
    case 'last-month': return { start: month(now, -1), end: month(now, 0), live: false };
    default: return { start: now - (LENGTH[id as RangeId] ?? DAY), end: now, live: true };
  }
}

/** ISO 8601 with the offset of Taipei, as stored in addresses. */
export function isoTaipei(ms: number): string {
  return `${new Date(ms + OFFSET).toISOString().slice(0, 19)}+08:00`;
}

/** Buckets for a drawing of `width` px: whole minutes or more, never more than one a pixel pair. */
export function bucketsFor(range: Range, width: number): number {
  const most = Math.max(60, Math.min(1200, Math.round(width / 2)));
  return Math.max(10, Math.min(most, Math.ceil((range.end - range.start) / 1000)));
}
