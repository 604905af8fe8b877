import type { Words } from '..';
import type { overview as zh } from '../zh-TW/overview';

export const overview: Words<typeof zh> = {
  'overview.systems': 'Other systems',
  'overview.system.well': 'Normal',
  'overview.system.unknown': 'Unknown',
  'overview.system.starting': 'Starting',
  'overview.system.lost': '{count} devices lost',
  'overview.system.more': '{count} more',
};
