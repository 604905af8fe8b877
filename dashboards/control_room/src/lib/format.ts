// Numbers, times and dates as operators read them. Pure: the caller gives language and time.
export type Language = 'zh-TW' | 'en';

const MINUS = '\u2212';
/** Decimals at most, by unit; a point may ask for fewer. */
const UNIT_DECIMALS: Record<string, number> = {
  '°C': 1, degC: 1, K: 1, '%': 1, '%RH': 0, kW: 1, kvar: 1, kVA: 1, V: 1, A: 1, Hz: 2, kWh: 1, kvarh: 1, kPa: 1, Pa: 0, hPa: 1,
  'L/s': 1, 'L/min': 1, mm: 0, 'µS/cm': 0, ppm: 0, 'µg/m³': 0, 'mg/m³': 2, s: 0, h: 1, lx: 0, RT: 0,
};

export function decimalsOf(unit: string, wanted: number | null | undefined): number {
  const most = UNIT_DECIMALS[unit];
  if (wanted === null || wanted === undefined || !Number.isFinite(wanted)) return most ?? 1;
  return most === undefined ? wanted : Math.min(most, wanted);
}

const formats = new Map<number, Intl.NumberFormat>();

/** 1,234.5 with fixed decimals and U+2212 for minus (as wide as a digit, so columns hold). */
export function number(value: number, decimals: number): string {
  let format = formats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  const text = format.format(value);
  if (!text.startsWith('-')) return text;
  const digits = text.slice(1);
  return /[1-9]/.test(digits) ? MINUS + digits : digits; // never "−0.0"
}

const ZONE = 'Asia/Taipei';
const clockFormat = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const rocFormat = new Intl.DateTimeFormat('zh-TW-u-ca-roc', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' });
const isoFormat = new Intl.DateTimeFormat('en-CA', { timeZone: ZONE, year: 'numeric', month: '2-digit', day: '2-digit' });

/** 14:05:09, Taipei time. */
export function clock(ms: number): string {
  return clockFormat.format(ms);
}

/** 115/11/23: the era is left out by building from parts. */
export function rocDate(ms: number): string {
  const part: Record<string, string> = {};
  for (const { type, value } of rocFormat.formatToParts(ms)) part[type] = value;
  return `${part.year}/${part.month}/${part.day}`;
}

/** 2026-11-23 in Taipei. */
export function isoDate(ms: number): string {
  return isoFormat.format(ms);
}

export function date(ms: number, language: Language): string {
  return language === 'en' ? isoDate(ms) : rocDate(ms);
}

export function dateTime(ms: number, language: Language): string {
  return `${date(ms, language)} ${clock(ms)}`;
}

/** 14:05:09 today, 11/22 14:05 on another day of Taipei: a time says its day where it is not today. */
export function moment(ms: number, now: number, language: Language): string {
  return isoDate(ms) === isoDate(now) ? clock(ms) : `${date(ms, language).slice(-5)} ${clock(ms).slice(0, 5)}`;
}

/** Read 115/11/23, 1151123, 115-11-23 or 2026-11-23: two- and three-digit years are ROC, four-digit AD. Null when it is no day. */
export function parseDate(text: string): string | null {
  const trimmed = text.trim();
  const packed = /^(\d{2,3})(\d{2})(\d{2})$/.exec(trimmed);
  const split = /^(\d{2,4})[/-](\d{1,2})[/-](\d{1,2})$/.exec(trimmed);
  const match = packed ?? split;
  if (!match) return null;
  const [, y = '', m = '', d = ''] = match;
  const year = y.length === 4 ? Number(y) : Number(y) + 1911;
  const month = Number(m);
  const day = Number(d);
  const check = new Date(Date.UTC(year, month - 1, day));
  if (check.getUTCFullYear() !== year || check.getUTCMonth() !== month - 1 || check.getUTCDate() !== day) return null;
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** Age in one unit: 12 秒, 3 分, 5 小時, 2 天. */
export function age(seconds: number, language: Language): string {
  const s = Math.max(0, Math.floor(seconds));
  const zh = language === 'zh-TW';
  if (s < 60) return zh ? `${s} 秒` : `${s} s`;
  if (s < 3600) return zh ? `${Math.floor(s / 60)} 分` : `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return zh ? `${Math.floor(s / 3600)} 小時` : `${Math.floor(s / 3600)} h`;
  return zh ? `${Math.floor(s / 86400)} 天` : `${Math.floor(s / 86400)} d`;
}

/** ISO string to ms, NaN when there is none. */
export function parseTime(iso: string | null | undefined): number {
  return iso ? Date.parse(iso) : Number.NaN;
}

const UNIT_TEXT: Record<string, string> = { degC: '°C', degF: '°F', percent: '%' };
export function unitText(unit: string): string {
  return UNIT_TEXT[unit] ?? unit;
}

/** Floors from the top: RF, 12F … 1F, B1 … B3; unknown ones last. */
export function floorIndex(id: string): number {
  if (id === 'RF') return 1000;
  const up = /^(\d+)F$/.exec(id);
  if (up) return Number(up[1]);
  const down = /^B(\d+)/.exec(id);
  return down ? -Number(down[1]) : -1000;
}
