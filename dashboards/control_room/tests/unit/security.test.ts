// What a door, a zone, a button, a call and a camera are, from their values: unknown is never calm, the worst comes first.
import { describe, expect, it } from 'vitest';
import { buttonState, callState, calls, cameraState, distance, doorOf, doorState, nearest, zoneState, type CameraReading, type DoorReading } from '../../src/lib/security';
import type { Alarm, Equipment } from '../../src/lib/types';

const shut: DoorReading = { mode: 1, position: 0, lock: 0, alarm: 0, released: Number.NaN, quality: 0 };

describe('a door', () => {
  it.each([
    [{}, 'closed'], [{ mode: 0 }, 'locked'], [{ mode: 2, lock: 1 }, 'unlocked'], [{ lock: 1 }, 'unlocked'], [{ mode: 3 }, 'lockdown'], [{ mode: 4 }, 'blocked'],
    [{ position: 1 }, 'open'], [{ position: 1, mode: 3 }, 'open'], [{ released: 1 }, 'released'], [{ alarm: 2, position: 1 }, 'held'], [{ alarm: 1, released: 1 }, 'forced'],
    [{ quality: 64 }, 'unknown'], [{ quality: 255 }, 'unknown'], [{ quality: 128, alarm: 1 }, 'unknown'], [{ position: Number.NaN }, 'unknown'],
  ] as [Partial<DoorReading>, string][])('%j is %s', (change, state) => {
    expect(doorState({ ...shut, ...change })).toBe(state);
  });
});

describe('zones, buttons, calls', () => {
  it('read their states, and no stale one', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((v) => zoneState(v, 0))).toEqual(['disarmed', 'armed', 'entry', 'exit', 'alarm', 'tamper', 'bypass', 'fault', 'unknown']);
    expect(zoneState(1, 64)).toBe('unknown');
    expect(buttonState(1, 1, 0)).toBe('pressed');
    expect(buttonState(0, 1, 0)).toBe('tamper');
    expect(buttonState(0, 0, 0)).toBe('ready');
    expect(buttonState(0, 0, 128)).toBe('unknown');
    expect([0, 1, 2].map((v) => callState(v, 1, 0))).toEqual(['idle', 'ringing', 'connected']);
    expect(callState(0, 0, 0)).toBe('unregistered');
    expect(callState(0, 1, 64)).toBe('unknown');
  });
});

describe('a camera', () => {
  const none: CameraReading = { online: Number.NaN, loss: Number.NaN, covered: Number.NaN, storage: Number.NaN, quality: 0 };
  it.each([
    [{ online: 1 }, 'good'], [{ loss: 0, covered: 0, storage: 0 }, 'good'], [{ online: 0 }, 'lost'], [{ loss: 1, covered: 1 }, 'lost'],
    [{ loss: 0, covered: 1, storage: 1 }, 'covered'], [{ loss: 0, storage: 1 }, 'storage'], [{}, 'unknown'], [{ online: 1, quality: 64 }, 'unknown'],
  ] as [Partial<CameraReading>, string][])('%j is %s', (change, state) => {
    expect(cameraState({ ...none, ...change })).toBe(state);
  });
});

const at = (address: string, floor: string, area: string, wing = ''): Equipment => ({ address, cls: 'camera', name: { zh: address, en: address }, building: 'b', system: 'cctv', floor, area, wing, maker: '', model: '', serial: '', parameters: {} });

describe('what is near', () => {
  const here = at('b.sos.here', '5F', 'west', 'west');
  const others = [at('b.c.far', '9F', 'west', 'west'), at('b.c.east', '5F', 'east', 'east'), at('b.c.same', '5F', 'west', 'west'), at('b.c.above', '6F', 'west', 'west'), at('b.c.same2', '5F', 'west', 'west')];
  it('comes by area, then floor, then the floor beside it, and never from far', () => {
    expect(nearest(here, others, 9).map((e) => e.address)).toEqual(['b.c.same', 'b.c.same2', 'b.c.east', 'b.c.above']);
    expect(nearest(here, others, 2)).toHaveLength(2);
  });
  it('is not in another building', () => {
    expect(distance(here, { ...here, building: 'other' })).toBeGreaterThan(100);
  });
  it('finds the door that an event names', () => {
    const doors = [at('b.access.w_05f_1', '5F', 'west'), at('b.access.sw_05f_1', '5F', 'southwest')];
    expect(doorOf({ door: 'w-05f-1' }, doors)?.address).toBe('b.access.w_05f_1');
    expect(doorOf({ door: 'x' }, doors)).toBeUndefined();
    expect(doorOf({}, doors)).toBeUndefined();
  });
});

describe('who needs us now', () => {
  const alarm = (change: Partial<Alarm>): Alarm => ({ system: 'sos', priority: 3, life_safety: false, kind: 'state', point: null, ...change }) as Alarm;
  it.each([
    [{ life_safety: true }, true], [{ system: 'intrusion', priority: 1 }, true], [{ system: 'access', priority: 2, point: 'b.access.d.alarm' }, true],
    [{ system: 'access', priority: 2, point: 'b.access.c.online' }, false], [{ system: 'access', priority: 3, point: 'b.access.d.alarm' }, false],
    [{ system: 'cctv', priority: 3 }, false], [{ system: 'electrical', priority: 1 }, false],
  ] as [Partial<Alarm>, boolean][])('%j: %s', (change, wanted) => {
    expect(calls(alarm(change))).toBe(wanted);
  });
});
