// The live list of events stays bounded, counts what it does not show, and stands still while somebody reads.
import { describe, expect, it } from 'vitest';
import { EventWindow, fits, MOST, NO_FILTER, type DeviceEvent } from '../../src/lib/eventlist';

const event = (n: number, more: Partial<DeviceEvent> = {}): DeviceEvent => ({
  id: null, source: `door${n % 3}`, key: `e${n}`, type: n % 2 ? 'door_forced' : 'card_read', time: null, received: null, late: false,
  data: { plate: `ABC-${n}` }, equipment: 'hall.access.door1', area: 'west', floor: '1F', ...more,
});
const batch = (from: number, count: number): DeviceEvent[] => Array.from({ length: count }, (_, i) => event(from + count - 1 - i));
const name = (): { zh: string; en: string } => ({ zh: '西側門', en: 'West door' });

describe('events that arrive', () => {
  it('are in front, each once, and the list is bounded', () => {
    const list = new EventWindow();
    list.load(batch(0, 50));
    list.take(batch(45, 10), 0, false);
    expect(list.items.length).toBe(55);
    expect(list.items[0]?.key).toBe('e54');
    for (let turn = 0; turn < 50; turn += 1) list.take(batch(100 + turn * 200, 200), 9_800, false);
    expect(list.items.length).toBe(MOST);
    // Everything that came is shown or counted.
    expect(list.items.length + list.hidden).toBe(55 + 50 * 10_000);
  });
  it('wait while the list is held, and come with one press', () => {
    const list = new EventWindow();
    list.load(batch(0, 10));
    const before = list.items;
    list.take(batch(10, 3), 0, true);
    list.take(batch(13, 200), 9_800, true);
    expect(list.items).toBe(before);
    expect(list.waiting).toBe(10_003);
    list.release();
    expect([list.waiting, list.items[0]?.key, list.items.length]).toEqual([0, 'e212', 213]);
  });
  it('do not repeat what the journal already gave, nor the other way round', () => {
    const list = new EventWindow();
    list.load(batch(10, 5));
    list.more(batch(5, 8));
    expect(list.items.map((e) => e.key)).toEqual(['e14', 'e13', 'e12', 'e11', 'e10', 'e9', 'e8', 'e7', 'e6', 'e5']);
  });
});

describe('the filter', () => {
  it.each([
    [{ q: 'abc-7' }, true], [{ q: 'door_forced 西側' }, true], [{ q: 'west 8' }, false], [{ type: 'card_read' }, false], [{ source: 'door1' }, true],
    [{ area: 'east' }, false], [{ floor: '1F', equipment: 'hall.access.door1' }, true],
  ])('%o fits: %s', (given, expected) => {
    expect(fits(event(7), { ...NO_FILTER, ...given }, name)).toBe(expected);
  });
});
