import type { Words } from '..';
import type { events as zh } from '../zh-TW/events';

export const events: Words<typeof zh> = {};
