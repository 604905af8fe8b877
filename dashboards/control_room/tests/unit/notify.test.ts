// Spans of days, dates as people type them, and reasons in the words of the pages.
import { describe, expect, it } from 'vitest';
import { bytes, cause, current, hour, look, ofDay, parseMoment, type Span } from '../../src/lib/notify';

const span = (start: string, end: string): Span => ({ start, end, contacts: ['a'], covered: true });

describe('the roster', () => {
  it('cuts spans at the midnights of Taipei', () => {
    const night = span('2026-11-27T10:00:00Z', '2026-11-28T00:00:00Z'); // 18:00 to 08:00
    expect(ofDay([night], '2026-11-27').map((s) => [hour(s.start), hour(s.end, true)])).toEqual([['18:00', '24:00']]);
    expect(ofDay([night], '2026-11-28').map((s) => [hour(s.start), hour(s.end, true)])).toEqual([['00:00', '08:00']]);
    expect(ofDay([night], '2026-11-29')).toEqual([]);
  });
  it('knows who is on now, and nobody at the very end', () => {
    const list = [span('2026-11-27T00:00:00Z', '2026-11-27T08:00:00Z'), span('2026-11-27T08:00:00Z', '2026-11-28T00:00:00Z')];
    expect(current(list, Date.parse('2026-11-27T08:00:00Z'))).toBe(list[1]);
    expect(current(list, Date.parse('2026-11-28T00:00:00Z'))).toBeUndefined();
  });
  it('reads dates with a time, ROC and ISO, and nothing else', () => {
    expect(parseMoment('115/12/05 08:00')).toBe('2026-12-05T08:00:00+08:00');
    expect(parseMoment(' 2026-12-05 7:30 ')).toBe('2026-12-05T07:30:00+08:00');
    for (const wrong of ['', '115/12/05', '115/13/05 08:00', '115/12/05 24:00', '115/12/05 08:60', 'x 08:00']) expect(parseMoment(wrong)).toBeNull();
  });
});

describe('a message', () => {
  it('has a shape of its own for what nobody knows', () => {
    expect(new Set([look('sent'), look('failed'), look('unknown'), look('queued')]).size).toBe(4);
  });
  it('says why in the words of the pages, and an unknown sentence as it is', () => {
    expect(cause('no way to this contact is set up').english).toBe(false);
    expect(cause('the push service took the message and did not answer').english).toBe(false);
    expect(cause('Failed to send JSON POST notification: error=500.')).toEqual({ text: 'Failed to send JSON POST notification: error=500.', english: true });
  });
});

describe('a key', () => {
  it('is read from base64url without padding', () => {
    expect([...bytes('-_8')]).toEqual([251, 255]);
  });
});
