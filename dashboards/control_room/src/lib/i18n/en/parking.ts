import type { Words } from '..';
import type { parking as zh } from '../zh-TW/parking';

export const parking: Words<typeof zh> = {};
