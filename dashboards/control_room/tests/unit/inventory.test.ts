// What is typed becomes the row of a file, and a refusal finds its sentence and its step.
import { describe, expect, it } from 'vitest';
import { zh } from '../../src/lib/i18n/zh-TW/index';
import { addressOf, deviceRow, emptyAddress, equipmentRow, fillTemplate, optionsOf, pieceOf, sentenceOf, stepOf } from '../../src/lib/inventory';

describe('templates', () => {
  it('fill the number with its digits, as often as it stands there', () => {
    expect(fillTemplate('em{n:03}-{n}', 7)).toBe('em007-7');
    expect(fillTemplate('em{n:03}', 1234)).toBe('em1234');
    expect(fillTemplate('meter', 7)).toBe('meter');
    expect(fillTemplate('{x} {n', 7)).toBe('{x} {n');
  });
});

describe('rows', () => {
  it('leave out what is empty or default', () => {
    expect(deviceRow(' em1 ', 'a.b.c', 'p', { ...emptyAddress(), endpoint: ' tcp://x:1 ' })).toEqual({ id: 'em1', equipment: 'a.b.c', profile: 'p', endpoint: 'tcp://x:1' });
    expect(equipmentRow('a.b.c', 'meter', pieceOf(null))).toEqual({ id: 'a.b.c', class: 'meter', name: { zh: '', en: '' } });
  });
  it('are the same after a way through the form', () => {
    const device = { id: 'a', equipment: 'a.b.c', profile: 'p', endpoint: 'opc.tcp://h:4840', unit: 0, period_s: 2.5, prefix: 'x_', options: { base: 1, application: '1', node_prefix: 'AHU/1' }, secrets: { user_env: 'U' } };
    expect(deviceRow(device.id, device.equipment, device.profile, addressOf(device))).toEqual(device);
    const piece = { id: 'a.b.c', class: 'meter', name: { zh: '電表', en: 'Meter' }, floor: 'B1', area: 'w', maker: 'm', model: 'o', serial: '007', wing: 'west', parameters: { rated_a: 250, fed_by: 'a.b.d' } };
    expect(equipmentRow(piece.id, piece.class, pieceOf(piece))).toEqual(piece);
    const more = { ...piece, documents: [{ kind: 'manual', file: 'documents/a.pdf' }] };
    expect(equipmentRow(piece.id, piece.class, { ...pieceOf(more), floor: '' }, more)).toEqual({ ...more, floor: undefined });
  });
  it('keep texts that look like numbers, but for the options that are numbers', () => {
    expect(optionsOf({ dev_eui: '0024000000000001', version: '5', base: '1', empty: ' ' })).toEqual({ dev_eui: '0024000000000001', version: 5, base: 1 });
  });
});

describe('refusals', () => {
  it('have a sentence each, the closest one', () => {
    expect(sentenceOf('device.options.word_order')).toBe('device.options');
    expect(sentenceOf('equipment.name.zh')).toBe('equipment.name');
    expect(sentenceOf('device')).toBe('device');
    expect(sentenceOf('alarm.limit')).toBe('alarm');
    expect(sentenceOf('site.timezone')).toBe('other');
    const keys = ['device.id', 'device.equipment', 'device.profile', 'device.endpoint', 'device.unit', 'device.period_s', 'device.options.x', 'device.secrets', 'device.prefix', 'device.omit', 'device.names.power', 'equipment.id', 'equipment.floor', 'equipment.area', 'equipment.parameters', 'rule', 'what'];
    for (const key of keys) expect(zh, key).toHaveProperty([`refusal.${sentenceOf(key)}`]);
  });
  it('lead to the step whose field they speak of', () => {
    expect(['device.unit', 'device.options.x', 'device.profile', 'device.id', 'equipment.floor', 'device', 'alarm.limit'].map(stepOf)).toEqual(['address', 'address', 'profile', 'names', 'names', 'names', 'names']);
  });
});
