// The warden's phone loses nothing and doubles nothing; times and standings of the console.
import { describe, expect, it } from 'vitest';
import { elapsed, share, short, standing, unmarked, wanted, type Board, type Inject, type Person } from '../../src/lib/drill';
import type { Store } from '../../src/lib/phonestore';
import { alone, forget, keep, kept, newKey, people, sync, Ticks, waitingHere, type Answer, type Kept, type Tick } from '../../src/lib/warden';

class Memory implements Store {
  map = new Map<string, unknown>();
  full = false;
  all(prefix: string): Promise<[string, unknown][]> {
    return Promise.resolve([...this.map.entries()].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
  change(put: [string, unknown][], remove: string[] = []): Promise<void> {
    if (this.full) return Promise.reject(new Error('quota'));
    for (const key of remove) this.map.delete(key);
    for (const [key, value] of put) this.map.set(key, structuredClone(value));
    return Promise.resolve();
  }
}
const taken = (keys: string[], more: Partial<Answer> = {}): Answer => ({ kept: keys, refused: [], offset_ms: 0, phase: 'running', late: [], ...more });
const never = (): boolean => false;
const tick = (key: string, at: number, more: Partial<Tick> = {}): Tick => ({ key, kind: 'person', at, area: 'east', floor: '3F', person: 'p-1', status: 'accounted', ...more });
const person = (id: string, more: Partial<Person> = {}): Person => ({ person: id, area: 'east', floor: '3F', door: '', seen: null, status: null, who: '', at: null, assembly: '', note: '', conflict: [], expected: true, late: false, ...more });
const board = (list: Person[]): Board => ({ drill: 'd', phase: 'running', time: '', expected: list.length, accounted: 0, missing: 0, rescue: 0, zones: [], people: list, hidden: 0, arrived_late: 0 });

describe('ticks on the phone', () => {
  it('wait in the order of the clock, for their own person and drill', async () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w.one');
    await mine.add('d-1', tick('bbbbbbbb', 2));
    await mine.add('d-1', tick('aaaaaaaa', 1));
    await new Ticks(store, 'w.two').add('d-1', tick('cccccccc', 3));
    await mine.add('d-2', tick('dddddddd', 3));
    await mine.read();
    expect(mine.waiting('d-1').map((held) => held.tick.key)).toEqual(['aaaaaaaa', 'bbbbbbbb']);
    expect(mine.waiting().length).toBe(3);
    expect(mine.others()).toBe(1);
    expect(await waitingHere(store)).toBe(4);
  });
  it('are there again when the page is loaded anew', async () => {
    const store = new Memory();
    await new Ticks(store, 'w').add('d', tick('aaaaaaaa', 1));
    const again = new Ticks(store, 'w');
    await again.read();
    expect(again.waiting().map((held) => held.tick)).toEqual([tick('aaaaaaaa', 1)]);
  });
  it('are not shown when the phone cannot keep them', async () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w');
    store.full = true;
    await expect(mine.add('d', tick('aaaaaaaa', 1))).rejects.toThrow('quota');
    expect(mine.waiting()).toEqual([]);
  });
  it('survive a damaged entry', async () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w');
    await mine.add('d', tick('aaaaaaaa', 1));
    for (const [key, value] of [['b', null], ['c', 'text'], ['d', { user: 'w', drill: 'd' }]] as const) store.map.set(`tick/${key}`, value);
    await mine.read();
    expect(mine.waiting().length).toBe(1);
    expect(await waitingHere(store)).toBe(1);
  });
});

describe('sending', () => {
  it('keeps what the network lost and sends it again under the same keys, in its order', async () => {
    const mine = new Ticks(new Memory(), 'w');
    for (let i = 4; i >= 0; i -= 1) await mine.add('d', tick(`key-${i}-long`, i));
    const arrived: string[] = [];
    let tries = 0;
    const send = (drill: string, body: { ticks: Tick[] }): Promise<Answer> => {
      arrived.push(...body.ticks.map((t) => t.key));
      tries += 1;
      // The server has it, and the answer is lost on the way.
      return tries === 1 ? Promise.reject(new Error('lost')) : Promise.resolve(taken(body.ticks.map((t) => t.key)));
    };
    await expect(sync(mine, send, () => 9, never)).rejects.toThrow('lost');
    expect(mine.waiting().length).toBe(5);
    expect((await sync(mine, send, () => 9, never)).sent).toBe(5);
    expect(mine.waiting()).toEqual([]);
    expect(arrived).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4].map((i) => `key-${i}-long`));
  });
  it('goes in batches, and puts aside what is refused with the reason', async () => {
    const mine = new Ticks(new Memory(), 'w');
    for (let i = 0; i < 450; i += 1) await mine.add('d', tick(`key-${String(i).padStart(6, '0')}`, i));
    const sizes: number[] = [];
    await sync(mine, (_drill, body) => {
      sizes.push(body.ticks.length);
      const keys = body.ticks.map((t) => t.key);
      return Promise.resolve(taken(keys.filter((k) => k !== 'key-000007'), { refused: keys.filter((k) => k === 'key-000007').map((key) => ({ key, reason: 'not yours' })) }));
    }, () => 1, never);
    expect(sizes).toEqual([200, 200, 50]);
    expect(mine.refused().map((held) => [held.tick.key, held.reason])).toEqual([['key-000007', 'not yours']]);
    await mine.putAway('key-000007');
    expect(mine.refused()).toEqual([]);
  });
  it('does not turn in a circle when an answer names nothing', async () => {
    const mine = new Ticks(new Memory(), 'w');
    await mine.add('d', tick('aaaaaaaa', 1));
    let calls = 0;
    await sync(mine, () => { calls += 1; return Promise.resolve(taken([])); }, () => 1, never);
    expect(calls).toBe(1);
    expect(mine.waiting().length).toBe(1);
  });
  it('sends what belongs to another drill though one is gone, and counts what was late', async () => {
    const mine = new Ticks(new Memory(), 'w');
    await mine.add('d-gone', tick('aaaaaaaa', 1));
    await mine.add('d-over', tick('bbbbbbbb', 2));
    const result = await sync(mine, (drill, body) => (drill === 'd-gone' ? Promise.reject(new Error('404')) : Promise.resolve(taken(body.ticks.map((t) => t.key), { phase: 'reported', late: ['bbbbbbbb'] }))), () => 1, () => true);
    expect(result).toEqual({ sent: 1, late: 1, stuck: ['d-gone'] });
    expect(mine.waiting().map((held) => held.drill)).toEqual(['d-gone']);
  });
  it('is done by one page at a time', async () => {
    let release = (): void => undefined;
    const first = alone(() => new Promise<string>((resolve) => { release = () => resolve('sent'); }));
    expect(await alone(() => Promise.resolve('twice'))).toBeNull();
    release();
    expect(await first).toBe('sent');
    expect(await alone(() => Promise.resolve('next'))).toBe('next');
    await expect(alone(() => Promise.reject(new Error('network')))).rejects.toThrow('network');
    expect(await alone(() => Promise.resolve('after'))).toBe('after');
  });
  it('makes keys that the server takes', () => {
    expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
    expect(newKey()).not.toBe(newKey());
  });
});

describe('what the warden sees', () => {
  it('is what the server knows with what waits laid over it, the missing first', () => {
    const list = people(board([person('p-1'), person('p-2', { status: 'accounted' }), person('p-3', { floor: '2F' })]), [tick('a', 5), tick('b', 6, { person: 'p-9', status: 'rescue' })], '3F', 'east');
    expect(list.map((p) => [p.person, p.status])).toEqual([['p-9', 'rescue'], ['p-1', 'accounted'], ['p-2', 'accounted']]);
  });
  it('marks what was said after the end', () => {
    const list = people(board([person('p-1'), person('p-2')]), [tick('a', 5), tick('b', 9, { person: 'p-2' })], '3F', 'east', 6);
    expect(list.map((p) => [p.person, p.late])).toEqual([['p-1', false], ['p-2', true]]);
  });
  it('is there again without a network, and gone when it is forgotten, with what waits left', async () => {
    const store = new Memory();
    const saved: Kept = { drill: 'd', title: { zh: '演', en: 'D' }, phase: 'running', started: null, end: null, ended: null, cause: null, board: board([]), zones: [], assembly: [], areas: {}, doors: {}, saved: 1 };
    await new Ticks(store, 'w').add('d', tick('aaaaaaaa', 1));
    await keep(store, 'w', saved);
    expect(await kept(store)).toEqual({ user: 'w', kept: saved });
    await forget(store);
    expect(await kept(store)).toBeNull();
    expect(await waitingHere(store)).toBe(1);
  });
});

describe('the console', () => {
  const inject = (more: Partial<Inject>): Inject => ({ id: 'i', after_s: 0, text: { zh: '', en: '' }, team: '', answer_s: 60, point: '', value: null, given: '2026-01-01T00:00:00.000Z', answered: null, answered_by: '', answered_after_s: null, note: '', ...more });
  const at = (s: number): number => Date.parse('2026-01-01T00:00:00Z') + s * 1000;
  it('tells how an inject stands', () => {
    expect(standing(inject({ given: null }), at(0))).toBe('due');
    expect(standing(inject({ answer_s: null }), at(999))).toBe('told');
    expect(standing(inject({}), at(60))).toBe('waits');
    expect(standing(inject({}), at(61))).toBe('late');
    expect(standing(inject({ answered_after_s: 60 }), at(999))).toBe('answered');
    expect(standing(inject({ answered_after_s: 61 }), at(999))).toBe('answered-late');
  });
  it('writes times', () => {
    expect([elapsed(462), elapsed(3662.9), elapsed(-1), short(462), short(3662)]).toEqual(['00:07:42', '01:01:02', '00:00:00', '07:42', '01:01:02']);
  });
  it('lists who is wanted, those who need rescue first', () => {
    const list = wanted(board([person('p-1', { seen: '2' }), person('p-2', { seen: '1' }), person('p-3', { status: 'accounted' }), person('p-4', { status: 'rescue' }), person('p-5', { expected: false })]));
    expect(list.map((p) => p.person)).toEqual(['p-4', 'p-2', 'p-1']);
  });
  it('takes the mark off a record, and nothing else', () => {
    expect([unmarked('演練 DRILL started: x'), unmarked('a drill')]).toEqual(['started: x', 'a drill']);
  });
  it('fills a bar', () => {
    expect([share({ expected: 0, accounted: 0 }), share({ expected: 4, accounted: 1 })]).toEqual([1, 0.25]);
  });
});
