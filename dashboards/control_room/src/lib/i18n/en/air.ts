import type { Words } from '..';
import type { air as zh } from '../zh-TW/air';

export const air: Words<typeof zh> = {};
