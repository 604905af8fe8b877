import type { Words } from '..';
import type { meters as zh } from '../zh-TW/meters';

export const meters: Words<typeof zh> = {};
