import type { Words } from '..';
import type { fire as zh } from '../zh-TW/fire';

export const fire: Words<typeof zh> = {};
