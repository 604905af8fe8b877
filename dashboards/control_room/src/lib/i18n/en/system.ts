import type { Words } from '..';
import type { system as zh } from '../zh-TW/system';

export const system: Words<typeof zh> = {
  'alarm.kind.system': 'Controller',
  'alarm.kind.journal': 'The controller cannot write its records',
  'alarm.kind.log': 'The controller cannot write its history',
  'alarm.kind.disk': "The controller's disk is nearly full",
  'alarm.kind.influx': 'InfluxDB takes no readings',
  'alarm.kind.damage': 'A file of the controller was damaged',
  'alarm.of-controller': 'Other alarms of the controller',
  'alarm.reason': 'System message',
};
