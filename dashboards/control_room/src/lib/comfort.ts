// Why a zone or a room is uncomfortable: the first cause in the order in which an operator would look. Pure.
import type { MessageKey } from './i18n';

export const UNCOMFORTABLE_K = 1.5;

export interface AirHandler {
  zone: number; deviation: number; supply: number; supplySetpoint: number; valve: number; filter: number; filterLimit: number;
  fan: boolean | null; fanFault: boolean | null; smoke: boolean | null; freeze: boolean | null; dirty: boolean | null;
  /** Whether the fan is told to run; off hours a warm zone disturbs nobody. */
  told: boolean | null;
  noAirflow: boolean | null;
}
export interface FanCoil { zone: number; deviation: number; speed: number; valve: boolean | null; occupied: boolean | null }
export interface Reason {
  key: MessageKey; params?: Record<string, string | number>; uncomfortable: boolean;
  /** One word for a cell; empty when all is well. */
  word: MessageKey | '';
}

const why = (key: MessageKey, uncomfortable: boolean, word: MessageKey | '', params?: Reason['params']): Reason => ({ key, uncomfortable, word, ...(params ? { params } : {}) });

/** Too warm, too cold, or neither, in one word. */
export function deviates(deviation: number): MessageKey | '' {
  if (!(Math.abs(deviation) >= UNCOMFORTABLE_K)) return '';
  return deviation > 0 ? 'air.word.warm' : 'air.word.cold';
}

export function reason(a: AirHandler): Reason {
  if (a.smoke === true) return why('floors.why.smoke', true, 'air.word.smoke');
  if (a.fanFault === true) return why('floors.why.fan-fault', true, 'air.word.fan-fault');
  if (a.freeze === true) return why('floors.why.freeze', true, 'air.word.freeze');
  if (a.noAirflow === true) return why('air.why.no-airflow', true, 'air.word.no-airflow');
  if (!Number.isFinite(a.deviation)) return why('floors.why.no-data', false, 'air.word.no-data');
  const dirty = a.dirty === true || a.filter > a.filterLimit;
  const word = deviates(a.deviation);
  if (!word) return dirty ? why('floors.why.filter', false, 'air.word.filter') : why('floors.why.ok', false, '');
  if (a.told === false) return why('air.why.off-hours', false, word);
  if (a.fan === false) return why('floors.why.fan-off', true, word);
  if (a.deviation > 0) {
    if (a.valve >= 95) return why('floors.why.valve-full', true, word);
    const warm = a.supply - a.supplySetpoint;
    if (warm > 1.5) return why('floors.why.supply-warm', true, word, { delta: warm.toFixed(1) });
    if (dirty) return why('floors.why.filter', true, word);
  } else if (a.valve > 20) return why('floors.why.overcooled', true, word, { valve: Math.round(a.valve) });
  return why('floors.why.unknown', true, word);
}

export function roomReason(f: FanCoil): Reason {
  if (!Number.isFinite(f.deviation)) return why('floors.why.no-data', false, 'air.word.no-data');
  const word = deviates(f.deviation);
  if (!word) return why('floors.why.ok', false, '');
  if (f.occupied === false) return why('air.why.vacant', false, word);
  if (f.deviation > 0) {
    if (f.speed === 0) return why('floors.why.fan-off', true, word);
    if (f.valve === false) return why('air.why.valve-shut', true, word);
    if (f.speed >= 3) return why('air.why.full-speed', true, word);
  } else if (f.valve === true) return why('air.why.coil-on', true, word);
  return why('floors.why.unknown', true, word);
}
