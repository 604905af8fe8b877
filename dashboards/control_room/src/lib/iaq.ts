// Air quality against the act. Source of limits and averaging times: 室內空氣品質標準 (Indoor Air Quality Standards, Taiwan):
// CO2 1000 ppm, CO 9 ppm and O3 0.06 ppm of 8 h, HCHO 0.08 ppm and TVOC 0.56 ppm of 1 h, PM10 75 and PM2.5 35 µg/m³ of 24 h.
// HCHO ppm = mg/m³ × 0.814 at 25 °C.

/** What the act limits: the virtual point with the mean of its averaging time, and the readings it is made of. */
export interface ActRow { id: 'co2' | 'co' | 'o3' | 'hcho' | 'tvoc' | 'pm25' | 'pm10'; mean: string; hours: number; limit: number; unit: string; decimals: number }
export const ACT: readonly ActRow[] = [
  { id: 'co2', mean: 'co2_8h', hours: 8, limit: 1000, unit: 'ppm', decimals: 0 },
  { id: 'co', mean: 'co_8h', hours: 8, limit: 9, unit: 'ppm', decimals: 1 },
  { id: 'o3', mean: 'o3_8h', hours: 8, limit: 0.06, unit: 'ppm', decimals: 3 },
  { id: 'hcho', mean: 'hcho_1h', hours: 1, limit: 0.08, unit: 'ppm', decimals: 3 },
  { id: 'tvoc', mean: 'tvoc_1h', hours: 1, limit: 0.56, unit: 'ppm', decimals: 3 },
  { id: 'pm25', mean: 'pm25_24h', hours: 24, limit: 35, unit: 'µg/m³', decimals: 0 },
  { id: 'pm10', mean: 'pm10_24h', hours: 24, limit: 75, unit: 'µg/m³', decimals: 0 },
];

/** A reading in the unit of the act; NaN where the unit is none of a concentration (a rating). */
export function inActUnit(value: number, unit: string, row: ActRow): number {
  if (unit === row.unit) return value;
  if (unit === 'ppb' && row.unit === 'ppm') return value / 1000;
  if (unit === 'mg/m³' && row.id === 'hcho') return value * 0.814;
  return Number.NaN;
}

/** Steps of the heat-map, 0 to 5, by the share of the limit. */
export function heat(share: number): number {
  return Number.isFinite(share) ? Math.min(5, Math.max(0, Math.floor(share * 5))) : 0;
}

const CHILDREN = ['childcare', 'kindergarten'];

/** Children first, stations before room sensors there; everybody else by how bad it is. */
export function rank(area: string, cls: string): number {
  const at = CHILDREN.indexOf(area);
  return at < 0 ? 9 : at * 2 + (cls === 'iaq_station' ? 0 : 1);
}
