// Why a floor is uncomfortable: the first cause in the order in which an operator would look. Pure.
import type { MessageKey } from './i18n';

export const UNCOMFORTABLE_K = 1.5;

export interface AirHandler {
  zone: number; deviation: number; supply: number; supplySetpoint: number; valve: number; filter: number; filterLimit: number;
  fan: boolean | null; fanFault: boolean | null; smoke: boolean | null; freeze: boolean | null; dirty: boolean | null;
}
export interface Reason { key: MessageKey; params?: Record<string, string | number>; uncomfortable: boolean }

export function reason(a: AirHandler): Reason {
  if (a.smoke === true) return { key: 'floors.why.smoke', uncomfortable: true };
  if (a.fanFault === true) return { key: 'floors.why.fan-fault', uncomfortable: true };
  if (a.freeze === true) return { key: 'floors.why.freeze', uncomfortable: true };
  if (!Number.isFinite(a.deviation)) return { key: 'floors.why.no-data', uncomfortable: false };
  const dirty = a.dirty === true || a.filter > a.filterLimit;
  if (Math.abs(a.deviation) < UNCOMFORTABLE_K) return dirty ? { key: 'floors.why.filter', uncomfortable: false } : { key: 'floors.why.ok', uncomfortable: false };
  if (a.fan === false) return { key: 'floors.why.fan-off', uncomfortable: true };
  if (a.deviation > 0) {
    if (a.valve >= 95) return { key: 'floors.why.valve-full', uncomfortable: true };
    const warm = a.supply - a.supplySetpoint;
    if (warm > 1.5) return { key: 'floors.why.supply-warm', params: { delta: warm.toFixed(1) }, uncomfortable: true };
    if (dirty) return { key: 'floors.why.filter', uncomfortable: true };
  } else if (a.valve > 20) return { key: 'floors.why.overcooled', params: { valve: Math.round(a.valve) }, uncomfortable: true };
  return { key: 'floors.why.unknown', uncomfortable: true };
}
