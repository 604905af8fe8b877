import type { Words } from '..';
import type { plan as zh } from '../zh-TW/plan';

export const plan: Words<typeof zh> = {};
