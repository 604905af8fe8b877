import type { Words } from '..';
import type { maintenance as zh } from '../zh-TW/maintenance';

export const maintenance: Words<typeof zh> = {};
