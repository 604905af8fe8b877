import type { Words } from '..';
import type { security as zh } from '../zh-TW/security';

export const security: Words<typeof zh> = {};
