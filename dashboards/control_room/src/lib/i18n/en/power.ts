import type { Words } from '..';
import type { power as zh } from '../zh-TW/power';

export const power: Words<typeof zh> = {};
