import type { Words } from '..';
import type { lift as zh } from '../zh-TW/lift';

export const lift: Words<typeof zh> = {};
