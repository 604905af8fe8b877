import type { Words } from '..';
import type { overview as zh } from '../zh-TW/overview';

export const overview: Words<typeof zh> = {};
