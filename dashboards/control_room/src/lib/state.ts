// What a machine is doing, from its points: filled, hollow, half, crossed or unknown, with the word.
import { name, t } from './i18n';
import { isBad } from './quality';
import { sites } from './site.svelte';
import type { Look } from '../components/StatusChip.svelte';

export interface MachineState { look: Look; label: string }
const unknown = (): MachineState => ({ look: 'unknown', label: t('state.unknown') });

/** A binary point of an equipment: true, false, or null when it cannot be known. */
export function binary(equipment: string, tag: string): boolean | null {
  const quality = sites.quality(equipment, tag);
  const value = sites.value(equipment, tag);
  if (quality === 255 || isBad(quality) || !Number.isFinite(value)) return null;
  return value >= 0.5;
}

export function vfdState(equipment: string): MachineState {
  const run = binary(equipment, 'run');
  if (run === null) return unknown();
  const commanded = binary(equipment, 'run_cmd');
  if (commanded !== null && commanded !== run) return { look: 'half', label: t(run ? 'state.running' : 'state.stopped') };
  return run ? { look: 'on', label: t('state.running') } : { look: 'off', label: t('state.stopped') };
}

/** Chillers report words of their own; which of them mean running is told by the word in English. */
export function chillerState(equipment: string): MachineState {
  const point = sites.tag(equipment, 'state');
  const value = sites.value(equipment, 'state');
  const quality = sites.quality(equipment, 'state');
  if (!point || quality === 255 || isBad(quality) || !Number.isFinite(value)) return unknown();
  const state = point.states.find((s) => s.value === Math.round(value));
  if (!state) return unknown();
  const en = state.name.en.toLowerCase();
  const look: Look = /trip|lock/.test(en)
    ? 'bad'
    : /^run|running|unload|ramp|demand/.test(en)
      ? 'on'
      : /start|prestart|pump|stopping|delay|recycle|auto-?restart/.test(en)
        ? 'half'
        : 'off';
  return { look, label: name(state.name) };
}

export const running = (state: MachineState): boolean | null => (state.look === 'unknown' ? null : state.look === 'on' || (state.look === 'half' && state.label === t('state.running')));
