// Strategies as the API tells them, and what the pages make of them.
import { unitText } from './format';
import { t, word, type MessageKey } from './i18n';
import { station } from './station.svelte';
import type { Name } from './types';

export type Mode = 'run' | 'dry_run' | 'off';
export interface Figure { id: string; name: Name; value: number | null; unit: string }
export interface Part { id: string; name: Name; group: Name | null; state: string; points: string[]; note: Name | null; figures: Figure[] }
export interface Target { point: string; name: Name; slot: number; value: number; unit: string; held: boolean; winner: number; why: Name; refused: string }
export interface Input { point: string; name: Name; value: number | null; unit: string; quality: number; age_s: number | null }
export interface Said { time: string; mode: Mode; state: string; why: Name; outputs: number; figures: Figure[] }
export interface Change { owner: string; reason: string; since: string; until: string | null }
export interface Strategy {
  id: string; name: Name; mode: Mode; state: string; why: Name; time: string | null; slot: number; period_s: number;
  figures: Figure[]; outputs: number; inputs_bad: number; change: Change | null;
}
export interface StrategyDetail extends Strategy {
  inputs: Input[]; targets: Target[]; parts: Part[]; troubles: Record<string, Name>; said: Said[];
}

export const MODES: Mode[] = ['run', 'dry_run', 'off'];

/** One word for mode and state together: 執行/試跑/退讓/停用 and what it does. */
export function standing(mode: Mode, state: string): { look: 'on' | 'half' | 'off' | 'bad'; label: string } {
  if (mode === 'off') return { look: 'off', label: t('strategy.mode.off') };
  if (state === 'stepped_back') return { look: 'bad', label: t('strategy.state.stepped_back') };
  const doing = t(`strategy.state.${state}` as MessageKey);
  return { look: mode === 'run' ? 'on' : 'half', label: `${t(`strategy.mode.${mode}` as MessageKey)} · ${doing}` };
}

export function stateWord(state: string): string {
  const found = word('strategy.part.word', state);
  return found === `strategy.part.word.${state}` ? state : found;
}

/** Units that a language has a word of its own for. */
const SPOKEN: Record<string, MessageKey> = { NT$: 'unit.money', s: 'unit.s', min: 'unit.min', h: 'unit.h' };

/** A unit for people. */
export function unitWord(unit: string): string {
  const key = SPOKEN[unit];
  return key ? t(key) : unitText(unit);
}

export function figure(figures: Figure[], id: string): number {
  return figures.find((f) => f.id === id)?.value ?? Number.NaN;
}

/** Parts by group, in the order they come in. */
export function groups(parts: Part[]): { name: Name | null; parts: Part[]; counts: [string, number][] }[] {
  const found = new Map<string, { name: Name | null; parts: Part[] }>();
  for (const part of parts) {
    const key = part.group?.en ?? '';
    const group = found.get(key) ?? { name: part.group, parts: [] };
    group.parts.push(part);
    found.set(key, group);
  }
  return [...found.values()].map((group) => {
    const counts = new Map<string, number>();
    for (const part of group.parts) counts.set(part.state, (counts.get(part.state) ?? 0) + 1);
    return { ...group, counts: [...counts.entries()].sort((a, b) => Number(b[0] === 'shed') - Number(a[0] === 'shed') || b[1] - a[1]) };
  });
}

/** The owner of a slot for people: the schedule and strategies by name, people as they are called. */
export function ownerText(owner: string): string {
  if (owner === 'schedule') return t('slot.15');
  if (!owner.startsWith('strategy:')) return owner;
  const id = owner.slice('strategy:'.length);
  return word('strategy.owner', id);
}
