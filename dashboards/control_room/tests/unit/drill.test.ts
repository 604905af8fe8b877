// The warden's phone loses nothing and doubles nothing; times and standings of the console.
import { describe, expect, it } from 'vitest';
import { elapsed, share, short, standing, unmarked, wanted, type Board, type Inject, type Person } from '../../src/lib/drill';
import { forget, keep, kept, newKey, people, sync, Ticks, type Answer, type Kept, type Store, type Tick } from '../../src/lib/warden';

class Memory implements Store {
  map = new Map<string, string>();
  full = false;
  get length(): number { return this.map.size; }
  key(i: number): string | null { return [...this.map.keys()][i] ?? null; }
  getItem(k: string): string | null { return this.map.get(k) ?? null; }
  setItem(k: string, v: string): void { if (this.full) throw new Error('quota'); this.map.set(k, v); }
  removeItem(k: string): void { this.map.delete(k); }
}
const tick = (key: string, at: number, more: Partial<Tick> = {}): Tick => ({ key, kind: 'person', at, area: 'east', floor: '3F', person: 'p-1', status: 'accounted', ...more });
const person = (id: string, more: Partial<Person> = {}): Person => ({ person: id, area: 'east', floor: '3F', door: '', seen: null, status: null, who: '', at: null, assembly: '', note: '', conflict: [], expected: true, ...more });
const board = (list: Person[]): Board => ({ drill: 'd', phase: 'running', time: '', expected: list.length, accounted: 0, missing: 0, rescue: 0, zones: [], people: list, hidden: 0 });

describe('ticks on the phone', () => {
  it('wait in the order of the clock, for their own person and drill', () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w.one', 'd-1');
    mine.add(tick('bbbbbbbb', 2));
    mine.add(tick('aaaaaaaa', 1));
    new Ticks(store, 'w.two', 'd-1').add(tick('cccccccc', 3));
    new Ticks(store, 'w.one', 'd-2').add(tick('dddddddd', 3));
    expect(mine.waiting().map((t) => t.key)).toEqual(['aaaaaaaa', 'bbbbbbbb']);
  });
  it('are not shown when the phone cannot keep them', () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w', 'd');
    store.full = true;
    expect(() => mine.add(tick('aaaaaaaa', 1))).toThrow('quota');
    expect(mine.waiting()).toEqual([]);
  });
  it('survive a damaged entry', () => {
    const store = new Memory();
    const mine = new Ticks(store, 'w', 'd');
    mine.add(tick('aaaaaaaa', 1));
    store.map.set('shifu.warden.w.d.wait.bbbbbbbb', '{not json');
    expect(mine.waiting().length).toBe(1);
  });
});

describe('sending', () => {
  it('keeps what the network lost and sends it again under the same keys', async () => {
    const mine = new Ticks(new Memory(), 'w', 'd');
    for (let i = 0; i < 5; i += 1) mine.add(tick(`key-${i}-long`, i));
    const arrived: string[] = [];
    let tries = 0;
    const send = (body: { ticks: Tick[] }): Promise<Answer> => {
      arrived.push(...body.ticks.map((t) => t.key));
      tries += 1;
      // The server has it, and the answer is lost on the way.
      return tries === 1 ? Promise.reject(new Error('lost')) : Promise.resolve({ kept: body.ticks.map((t) => t.key), refused: [], offset_ms: 0 });
    };
    await expect(sync(mine, send, () => 9)).rejects.toThrow('lost');
    expect(mine.waiting().length).toBe(5);
    expect(await sync(mine, send, () => 9)).toBe(5);
    expect(mine.waiting()).toEqual([]);
    expect(new Set(arrived).size).toBe(5);
  });
  it('goes in batches, and puts aside what is refused with the reason', async () => {
    const mine = new Ticks(new Memory(), 'w', 'd');
    for (let i = 0; i < 450; i += 1) mine.add(tick(`key-${String(i).padStart(6, '0')}`, i));
    const sizes: number[] = [];
    await sync(mine, (body) => {
      sizes.push(body.ticks.length);
      const keys = body.ticks.map((t) => t.key);
      return Promise.resolve({ kept: keys.filter((k) => k !== 'key-000007'), refused: keys.filter((k) => k === 'key-000007').map((key) => ({ key, reason: 'not yours' })), offset_ms: 0 });
    }, () => 1);
    expect(sizes).toEqual([200, 200, 50]);
    expect(mine.refused().map((r) => [r.tick.key, r.reason])).toEqual([['key-000007', 'not yours']]);
    mine.putAway('key-000007');
    expect(mine.refused()).toEqual([]);
  });
  it('does not turn in a circle when an answer names nothing', async () => {
    const mine = new Ticks(new Memory(), 'w', 'd');
    mine.add(tick('aaaaaaaa', 1));
    let calls = 0;
    await sync(mine, () => { calls += 1; return Promise.resolve({ kept: [], refused: [], offset_ms: 0 }); }, () => 1);
    expect(calls).toBe(1);
    expect(mine.waiting().length).toBe(1);
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
  it('is there again without a network, and gone when it is forgotten', () => {
    const store = new Memory();
    const saved: Kept = { drill: 'd', title: { zh: '演', en: 'D' }, phase: 'running', started: null, end: null, board: board([]), assembly: [], areas: {}, saved: 1 };
    keep(store, 'w', saved);
    expect(kept(store)).toEqual({ user: 'w', kept: saved });
    forget(store);
    expect(kept(store)).toBeNull();
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
