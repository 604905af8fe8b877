// The year strip's places, deadlines, and the files that a spreadsheet opens.
import { describe, expect, it } from 'vitest';
import { at, csv, dayMs, daysTo, lastDay, place, urgent, yearSpan, type Inspection } from '../../src/lib/calendar';

const inspection = (id: string, standing: Inspection['standing'], deadline: string | null): Inspection => ({
  id, standing, deadline, title: { zh: id, en: id }, equipment: [], change: null, editable: true, kind: 'k', basis: '', interval_months: 6,
  last_done: null, due: null, certificate_until: null, area: '',
});

describe('calendar', () => {
  it('counts days in Taipei', () => {
    expect(new Date(dayMs('2026-04-01')).toISOString()).toBe('2026-03-31T16:00:00.000Z');
    expect(lastDay('2026-04-30T16:00:00.000Z')).toBe('2026-04-30');
    expect(lastDay('2026-04-30T10:00:00.000Z')).toBe('2026-04-30');
    const evening = Date.parse('2026-11-27T23:59:00+08:00');
    expect([daysTo('2026-11-28', evening), daysTo('2026-11-27', evening), daysTo('2026-11-20', evening)]).toEqual([1, 0, -7]);
  });
  it('puts spans into a year and cuts what hangs over', () => {
    const [from, to] = yearSpan(2026);
    expect(place(dayMs('2025-01-01'), dayMs('2025-12-31'), from, to)).toBeNull();
    expect(place(dayMs('2027-01-01'), dayMs('2027-02-01'), from, to)).toBeNull();
    expect(place(dayMs('2025-07-01'), dayMs('2027-07-01'), from, to)).toEqual({ left: 0, width: 1 });
    const half = place(dayMs('2026-07-01'), to, from, to);
    expect(half?.left).toBeCloseTo(181 / 365);
    expect((half?.left ?? 0) + (half?.width ?? 0)).toBeCloseTo(1);
  });
  it('has what is overdue first, and what has no deadline last', () => {
    const list = [inspection('good', 'good', '2027-01-01'), inspection('none', 'good', null), inspection('due', 'due', '2026-12-20'), inspection('late2', 'overdue', '2026-11-20'), inspection('late1', 'overdue', '2026-10-01')];
    expect(urgent(list).map((i) => i.id)).toEqual(['late1', 'late2', 'due', 'good', 'none']);
  });
  it('reads a ROC day and a time, and nothing else', () => {
    expect(at('115/12/05', '09:00')).toBe('2026-12-05T09:00:00+08:00');
    for (const [day, time] of [['115/13/05', '09:00'], ['115/12/05', '9:00'], ['115/12/05', '24:00'], ['', '09:00']] as const) expect(at(day, time)).toBeNull();
  });
  it('writes files in which nothing runs', () => {
    expect(csv([['=1+1', 'a,b', 'say "x"', '平常']])).toBe('\ufeff\'=1+1,"a,b","say ""x""",平常\r\n');
  });
});
