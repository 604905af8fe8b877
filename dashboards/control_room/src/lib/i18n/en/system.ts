import type { Words } from '..';
import type { system as zh } from '../zh-TW/system';

export const system: Words<typeof zh> = {
  'alarm.kind.system': 'Controller',
  'alarm.kind.journal': 'The controller cannot write its records',
  'alarm.kind.log': 'The controller cannot write its history',
  'alarm.kind.disk': 'The disk of the controller is nearly full',
  'alarm.kind.influx': 'InfluxDB takes no readings',
  'alarm.kind.damage': 'A file of the controller was damaged',
  'alarm.of-controller': 'Other alarms of the controller',
  'alarm.reason': 'System message',
  'devices.cause.name': 'Host name unknown',
  'devices.cause.closed': 'Nobody listens at the address',
  'devices.cause.unreachable': 'Host cannot be reached',
  'devices.cause.line': 'Serial port missing or not allowed',
  'devices.cause.connection': 'Connection lost',
  'devices.cause.trust': 'Certificate missing, over or not trusted',
  'devices.cause.sign_in': 'User or password refused',
  'devices.cause.silent': 'No valid answer in time',
  'devices.cause.refused': 'The device refuses',
  'devices.cause.shape': 'Answer does not fit the profile',
  'devices.cause.failure': 'Device or gateway reports a failure',
  'devices.cause.part': 'A part cannot be read',
  'devices.cause.settings': 'Profile or address is wrong',
  'devices.cause.service': 'Out of service',
  'devices.cause.fault': 'Fault of the driver',
};
