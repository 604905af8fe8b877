// Decisions of the pages of the car park and the chargers.
import { describe, expect, it } from 'vitest';
import { mode, stage, zones } from '../../src/lib/carpark';
import { leaving, undone, vehicleOf, type Declared, type Vehicle } from '../../src/lib/charging';
import type { Equipment } from '../../src/lib/types';

const piece = (address: string, cls: string, floor: string, zone?: number): Equipment => ({ address, cls, name: { zh: address, en: address }, building: 'cityhall', system: 'carpark', floor, area: 'car_park', wing: '', maker: '', model: '', serial: '', parameters: zone === undefined ? {} : { zone } });

describe('air of the car park', () => {
  it('reaches the stages of EN 50545-1 by their means', () => {
    expect(stage('co', 29.9, 149)).toBe(0);
    expect(stage('co', 30, 35)).toBe(1);
    expect(stage('co', 60, 70)).toBe(2);
    expect(stage('co', 10, 150)).toBe(3);
    expect(stage('no2', 3, 3)).toBe(1);
    expect(stage('no2', 1, 15)).toBe(3);
  });
  it('is unknown without a mean, but dangerous when the minute says so', () => {
    expect(stage('co', Number.NaN, 20)).toBeNaN();
    expect(stage('co', Number.NaN, 160)).toBe(3);
    expect(stage('co', 12, Number.NaN)).toBe(0);
  });
  it('puts detector and fan of a zone together, level by level', () => {
    const found = zones([piece('fan05', 'exhaust_fan', 'B2', 1), piece('gas02', 'gas_detector', 'B1', 2), piece('gas01', 'gas_detector', 'B1', 1), piece('fan01', 'exhaust_fan', 'B1', 1), piece('x', 'gas_detector', 'B1')]);
    expect(found.map(([floor, list]) => [floor, list.map((z) => [z.gas?.address, z.fan?.address])])).toEqual([['B1', [['gas01', 'fan01'], ['gas02', undefined]]], ['B2', [[undefined, 'fan05']]]]);
  });
  it('says who has a fan, and does not claim what it does not know', () => {
    expect(mode(false, [8, null])).toBe('site');
    expect(mode(true, [null, 8])).toBe('manual');
    expect(mode(true, [12, null])).toBe('program');
    expect(mode(true, [15, 12])).toBe('program');
    expect(mode(true, [15, null])).toBe('schedule');
    expect(mode(true, [null, 0])).toBe('own');
    expect(mode(true, [undefined, null])).toBe('unknown');
  });
});

const car: Vehicle = { id: 'car-07', plate: 'XEV-0007', unit: '環保局', battery_kwh: 40, max_kw: 7.4, departure: '07:30', rfid: 'F1EE7007' };
const at = (text: string): number => Date.parse(`${text}+08:00`);

describe('charging', () => {
  it('knows an official car by its number or its card', () => {
    expect(vehicleOf([car], 7, 0)).toBe(car);
    expect(vehicleOf([car], 0, 0xf1ee7007)).toBe(car);
    expect(vehicleOf([car], 8, 0)).toBeUndefined();
    expect(vehicleOf([car], 0, 0)).toBeUndefined();
  });
  it('says the day where the hour alone would mislead', () => {
    expect(leaving(at('2026-11-30T07:30:00'), at('2026-11-28T04:20:00'))).toBe('11/30 07:30');
    expect(leaving(at('2026-11-24T07:30:00'), at('2026-11-23T08:00:00'))).toBe('07:30');
  });
  it('takes an instruction back and leaves what else was declared', () => {
    const said: Declared = { departure: '2026-11-23T09:00:00.000Z', kwh: 20, full: false, instruction: 'stop', until: null, owner: 'operator', reason: 'x', time: null };
    expect(undone(said, 'again')).toEqual({ departure: said.departure, kwh: 20, full: false, instruction: null, until: null, reason: 'again' });
  });
});
