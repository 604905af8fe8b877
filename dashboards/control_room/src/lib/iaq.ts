// Air quality against the limits. Source of the limits: 室內空氣品質標準 (Indoor Air Quality Standards, Taiwan):
// CO2 1000 ppm (8 h), HCHO 0.08 ppm (1 h), PM10 75 and PM2.5 35 µg/m³ (24 h). HCHO ppm = mg/m³ × 0.814 at 25 °C.

export const POLLUTANTS = ['co2', 'pm25', 'pm10', 'hcho'] as const;
export type Pollutant = (typeof POLLUTANTS)[number];

export const LIMITS: Record<Pollutant, { value: number; unit: string; shown: number; shownUnit: string }> = {
  co2: { value: 1000, unit: 'ppm', shown: 1000, shownUnit: 'ppm' },
  pm25: { value: 35, unit: 'µg/m³', shown: 35, shownUnit: 'µg/m³' },
  pm10: { value: 75, unit: 'µg/m³', shown: 75, shownUnit: 'µg/m³' },
  hcho: { value: 0.08 / 0.814, unit: 'mg/m³', shown: 0.08, shownUnit: 'ppm' },
};

/** Value over limit; NaN without a value. */
export function ratio(pollutant: Pollutant, value: number): number {
  return value / LIMITS[pollutant].value;
}

export interface Place { values: Record<Pollutant, number>; usable: boolean }

/** The worst pollutant of a place and its ratio; NaN when there is no usable value. */
export function worst(place: Place): { pollutant: Pollutant; ratio: number } {
  let pollutant: Pollutant = 'co2';
  let most = Number.NaN;
  if (place.usable) {
    for (const p of POLLUTANTS) {
      const r = ratio(p, place.values[p]);
      if (Number.isFinite(r) && !(r <= most)) {
        most = r;
        pollutant = p;
      }
    }
  }
  return { pollutant, ratio: most };
}
