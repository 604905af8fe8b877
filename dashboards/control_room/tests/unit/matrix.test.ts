import { describe, expect, it } from 'vitest';
import { cellOf, counted, deviates, rowsOf, sheet, shown, step, type Cause, type CellState, type Matrix, type Output } from '../../src/lib/matrix';

const NAME = { zh: '名', en: 'name' };
const output = (point: string, state: CellState, seen: number | null = null): Output => ({ point, name: NAME, state, value: null, seen_after_s: seen });
const cause = (id: string, called: boolean, outputs: Output[], state: CellState | null = outputs[0]?.state ?? null, hidden = 0): Cause => ({
  id, name: { zh: `${id} 火警`, en: `Fire on ${id}` }, called, since: null,
  zones: [{ address: `b.fire.${id}`, name: { zh: `${id} 分區`, en: `Zone ${id}` }, floor: id, wing: '', status: called ? 'fire' : 'normal', reason: null }],
  cells: [{ kind: 'gas', state, within_s: 10, outputs, hidden }], holds: { equipment: [`b.hvac.${id}`], held: 0, hidden: 0 },
});
const QUIET = cause('1F', false, [output('b.gas.v1', 'rest')]);
const BURNS = cause('2F', true, [output('b.gas.v1', 'missing'), output('b.gas.v2', 'done', 4.5)], 'missing');
const MATRIX: Matrix = {
  time: '2026-01-01T00:00:00.000Z', panel: 'b.fire.panel', status: 'fire', phase: 'active', watched: true,
  kinds: [{ id: 'gas', name: { zh: '瓦斯遮斷', en: 'Gas valves shut' }, }, { id: 'fan', name: { zh: '排煙', en: 'Smoke fan' } }], causes: [QUIET, BURNS],
};

describe('cause-and-effect matrix', () => {
  it('tells not applicable, hidden and unknown apart, and knows nothing while the connection is lost', () => {
    expect(shown(cellOf(BURNS, 'fan'), false)).toBe('none');
    expect(shown(cellOf(BURNS, 'fan'), true)).toBe('none');
    expect(shown(cause('3F', true, [], null, 2).cells[0], false)).toBe('hidden');
    expect(shown(BURNS.cells[0], false)).toBe('missing');
    expect(shown(cause('3F', true, [output('p', 'done')]).cells[0], true)).toBe('unknown');
  });
  it('counts what was seen and after how long', () => {
    expect(counted(BURNS.cells[0]!)).toEqual({ done: 1, total: 2, unknown: 0, slowest: 4.5 });
  });
  it('shows what burns first, and filters by state and words of both languages', () => {
    const ids = (rows: Cause[]): string[] => rows.map((row) => row.id);
    expect(ids(rowsOf(MATRIX, 'all', ''))).toEqual(['2F', '1F']);
    expect(ids(rowsOf(MATRIX, 'called', ''))).toEqual(['2F']);
    expect(ids(rowsOf(MATRIX, 'wrong', ''))).toEqual(['2F']);
    expect(ids(rowsOf(MATRIX, 'all', 'zone 1f'))).toEqual(['1F']);
    expect(ids(rowsOf(MATRIX, 'all', '瓦斯 b.gas.v2'))).toEqual(['2F']);
    expect(rowsOf(MATRIX, 'all', '排煙')).toEqual([]);
    expect(deviates(QUIET)).toBe(false);
    expect(deviates(cause('1F', false, [output('p', 'unknown')]))).toBe(true);
  });
  it('walks by arrow keys over what does not apply', () => {
    const there = [[true, false, true], [false, false, false], [false, true, true]];
    expect(step(there, 0, 0, 'ArrowRight')).toEqual([0, 2]);
    expect(step(there, 0, 2, 'ArrowRight')).toEqual([0, 2]);
    expect(step(there, 0, 0, 'ArrowDown')).toEqual([2, 1]);
    expect(step(there, 2, 2, 'ArrowUp')).toEqual([0, 2]);
    expect(step(there, 2, 2, 'Home')).toEqual([2, 1]);
    expect(step(there, 0, 0, 'End')).toEqual([0, 2]);
    expect(step(there, 0, 0, 'x')).toEqual([0, 0]);
  });
  it('writes a line an output, and one for what is hidden', () => {
    const words = {
      name: (n: { zh: string }) => n.zh, head: ['head'], state: (s: string) => s, zone: (z: { address: string }) => z.address,
      called: String, equipment: () => '=1+1', hidden: (n: number) => `${n} hidden`,
    };
    const lines = sheet(MATRIX, [BURNS, cause('3F', false, [], null, 2)], false, words).split('\r\n');
    expect(lines[0]).toContain('b.fire.panel');
    expect(lines[2]).toBe("2F 火警,true,b.fire.2F,瓦斯遮斷,'=1+1,名,b.gas.v1,missing,,10");
    expect(lines[3]).toBe("2F 火警,true,b.fire.2F,瓦斯遮斷,'=1+1,名,b.gas.v2,done,4.5,10");
    expect(lines[4]).toBe('3F 火警,false,,瓦斯遮斷,,2 hidden,,,,10');
    expect(sheet(MATRIX, [BURNS], true, words)).toContain(',unknown,4.5,');
  });
});
