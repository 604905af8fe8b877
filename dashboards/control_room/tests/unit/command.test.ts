import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import CommandPanel from '../../src/components/CommandPanel.svelte';
import { api } from '../../src/lib/api';
import { check, emptyDraft, finished, mayExecute, newer, request } from '../../src/lib/command';
import { live } from '../../src/lib/live.svelte';
import { session } from '../../src/lib/session.svelte';
import { station } from '../../src/lib/station.svelte';
import type { Command, Point } from '../../src/lib/types';

const point = (confirm: string, more: Partial<Point> = {}): Point => ({
  number: 5, address: 'b.plant.p.speed_cmd', kind: 'analog', unit: '%', name: { zh: '轉速指令', en: 'Speed command' }, equipment: 'b.plant.p', device: 'd', tag: 'speed_cmd', low: 0, high: 100, decimals: 0, deadband: 0,
  stale_s: 30, states: [], limits: { high_high: null, high: null, low: null, low_low: null }, write: { low: 30, high: 100, default: null, fail: 'hold', confirm }, area: 'plant', system: 'plant', floor: 'B2', ...more,
});
const command = (state: Command['state'], id = 'c1'): Command => ({ id, point: 'b.plant.p.speed_cmd', slot: 8, value: 60, previous: 50, owner: '值班1', reason: { zh: '測試', en: 'test' }, state, message: '', requested_at: '2026-11-23T06:00:00Z', finished_at: null, until: null, readback: null });

beforeEach(() => {
  station.setLanguage('en');
  live.connection = 'live';
  session.accept({ user: { name: 'op', display_name: 'op', role: 'operator' }, permissions: [{ action: 'command', area: 'plant' }], csrf: 'x', expires_at: null, must_set_password: false, demo: false });
});
afterEach(() => {
  session.phase = 'out';
});

async function enter(p: Point, reason = 'filter test'): Promise<void> {
  render(CommandPanel, { point: p, present: 50 });
  await fireEvent.click(screen.getByRole('button', { name: 'Change command…' }));
  await fireEvent.input(screen.getByRole('spinbutton'), { target: { value: '60' } });
  if (reason) await fireEvent.input(screen.getByLabelText('Reason'), { target: { value: reason } });
  await fireEvent.click(screen.getByRole('button', { name: 'Next: review' }));
}

describe('two steps', () => {
  it('class A: nothing is sent before the review is executed', async () => {
    const post = vi.spyOn(api, 'post').mockResolvedValue(command('accepted'));
    vi.spyOn(api, 'get').mockResolvedValue(command('accepted'));
    await enter(point('A'));
    expect(post).not.toHaveBeenCalled();
    expect(screen.getByText(/from 50 % to 60 %/)).toBeTruthy();

    await fireEvent.click(screen.getByRole('button', { name: 'Execute' }));
    expect(post).toHaveBeenCalledExactlyOnceWith('/commands', { point: 'b.plant.p.speed_cmd', value: 60, slot: 8, reason: 'filter test', expires_s: 1800 });
    expect(await screen.findByText('Sent')).toBeTruthy();
  });
  it('class B: a dialog whose focus is on cancel', async () => {
    const post = vi.spyOn(api, 'post');
    await enter(point('B'));
    const dialog = screen.getByRole('dialog');
    expect(dialog.contains(document.activeElement)).toBe(true);
    expect(document.activeElement?.textContent).toBe('Cancel');

    await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }));
    expect(post).not.toHaveBeenCalled();
    expect(screen.getByRole('spinbutton')).toBeTruthy();
  });
  it('class C: is not executed by one person, and says so', async () => {
    await enter(point('C'));
    expect((screen.getByRole('button', { name: 'Execute' }) as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getByText(/second person must sign in/)).toBeTruthy();
  });
  it('asks for a reason', async () => {
    await enter(point('A'), '');
    expect(screen.getByText(/the next shift and the audit read it/)).toBeTruthy();
    expect(screen.queryByRole('button', { name: 'Execute' })).toBeNull();
  });
  it('follows the result that the stream tells', async () => {
    vi.spyOn(api, 'post').mockResolvedValue(command('accepted'));
    vi.spyOn(api, 'get').mockRejectedValue(new Error('not asked'));
    const handlers = vi.spyOn(live, 'on');
    await enter(point('A'));
    await fireEvent.click(screen.getByRole('button', { name: 'Execute' }));
    await screen.findByText('Sent');
    const handler = handlers.mock.calls.find(([type]) => type === 'command')?.[1];
    handler?.({ type: 'command', item: { ...command('failed'), message: 'read back 50 %' } });
    expect(await screen.findByText('Failed')).toBeTruthy();
    expect(screen.getByText('read back 50 %')).toBeTruthy();
  });
  it('is off while the connection is lost', () => {
    live.connection = 'lost';
    render(CommandPanel, { point: point('A'), present: 50 });
    expect((screen.getByRole('button', { name: 'Change command…' }) as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getByText('Connection lost: no commands')).toBeTruthy();
  });
  it('is not offered without the permission of the area', () => {
    render(CommandPanel, { point: point('A', { area: 'substation' }), present: 50 });
    expect(screen.queryByRole('button')).toBeNull();
  });
});

describe('decisions', () => {
  it('check value and reason', () => {
    const draft = { ...emptyDraft(60), reason: 'x' };
    expect(check(draft, point('A'))).toBeNull();
    expect(check({ ...draft, value: 29.9 }, point('A'))).toBe('value');
    expect(check({ ...draft, value: null }, point('A'))).toBe('value');
    expect(check({ ...draft, reason: '  ' }, point('A'))).toBe('reason');
    expect(check({ ...draft, value: null, release: true }, point('A'))).toBeNull();
  });
  it('a release empties the slot and has no end', () => {
    expect(request({ ...emptyDraft(60), reason: ' done ', release: true }, point('A'))).toEqual({ point: 'b.plant.p.speed_cmd', value: null, slot: 8, reason: 'done', expires_s: null });
  });
  it('a late answer never overwrites a newer state', () => {
    expect(newer(command('done'), command('accepted')).state).toBe('done');
    expect(newer(command('pending'), command('verifying')).state).toBe('verifying');
    expect(finished(command('unknown'))).toBe(true);
    expect(finished(command('verifying'))).toBe(false);
    expect(mayExecute(point('C'))).toBe(false);
  });
});
