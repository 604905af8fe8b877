import { describe, expect, it } from 'vitest';
import { age, clock, date, dateTime, decimalsOf, floorIndex, isoDate, moment, number, parseDate, rocDate, unitText } from '../../src/lib/format';

const AT = Date.UTC(2026, 10, 23, 6, 5, 9); // 14:05:09 in Taipei

describe('number', () => {
  it('has fixed decimals and thousands', () => {
    expect(number(1234.5, 1)).toBe('1,234.5');
    expect(number(7, 2)).toBe('7.00');
  });
  it('writes minus as U+2212, as wide as a digit', () => {
    expect(number(-3.25, 1)).toBe('\u22123.3');
    expect(number(-0.01, 1)).toBe('0.0');
  });
  it('takes decimals from the unit, never more than the point says', () => {
    expect(decimalsOf('ppm', 1)).toBe(0);
    expect(decimalsOf('°C', 3)).toBe(1);
    expect(decimalsOf('', 2)).toBe(2);
    expect(decimalsOf('kW', 0)).toBe(0);
    expect(decimalsOf('', null)).toBe(1);
  });
  it('shows degC as °C', () => expect(unitText('degC')).toBe('°C'));
});

describe('dates', () => {
  it('are in Taipei time', () => {
    expect(clock(AT)).toBe('14:05:09');
    expect(isoDate(Date.UTC(2026, 10, 22, 16, 0, 0))).toBe('2026-11-23');
  });
  it('are of the Republic in Chinese and ISO in English', () => {
    expect(rocDate(AT)).toBe('115/11/23');
    expect(date(AT, 'en')).toBe('2026-11-23');
    expect(dateTime(AT, 'zh-TW')).toBe('115/11/23 14:05:09');
  });
  it('say the day where it is not today, by the day of Taipei', () => {
    const late = Date.UTC(2026, 10, 22, 15, 59, 59);
    expect(moment(AT, AT + 9 * 3_600_000, 'zh-TW')).toBe('14:05:09');
    expect(moment(late, AT, 'zh-TW')).toBe('11/22 23:59');
    expect(moment(late, AT, 'en')).toBe('11-22 23:59');
    expect(moment(AT, AT + 10 * 3_600_000, 'zh-TW')).toBe('11/23 14:05');
  });
  it('before the year 100 of the Republic have two digits', () => expect(rocDate(Date.UTC(2005, 0, 1, 4))).toBe('94/01/01'));
  it('are read as people write them', () => {
    expect(parseDate('115/11/23')).toBe('2026-11-23');
    expect(parseDate('1151123')).toBe('2026-11-23');
    expect(parseDate('941231')).toBe('2005-12-31');
    expect(parseDate('2026-11-23')).toBe('2026-11-23');
    expect(parseDate('115/2/3')).toBe('2026-02-03');
    expect(parseDate('115/02/30')).toBeNull();
    expect(parseDate('yesterday')).toBeNull();
  });
});

describe('age', () => {
  it('has one unit', () => {
    expect(age(12.9, 'zh-TW')).toBe('12 秒');
    expect(age(190, 'zh-TW')).toBe('3 分');
    expect(age(7200, 'en')).toBe('2 h');
    expect(age(50 * 3600, 'en')).toBe('2 d');
    expect(age(-5, 'en')).toBe('0 s');
  });
});

it('sorts floors by height, not by text', () => {
  const floors = ['B1', '2F', 'RF', '10F', 'B3', '1F'].sort((a, b) => floorIndex(a) - floorIndex(b));
  expect(floors).toEqual(['B3', 'B1', '1F', '2F', '10F', 'RF']);
});
