import type { Words } from '..';
import type { commissioning as zh } from '../zh-TW/commissioning';

export const commissioning: Words<typeof zh> = {};
