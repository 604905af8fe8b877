// Messages in the station's language. `t('key', {name: value})`; a missing key does not compile.
import { station } from '../station.svelte';
import type { Name } from '../types';
import { en } from './en/index';
import { zh, type MessageKey } from './zh-TW/index';

export type { MessageKey } from './zh-TW/index';

/** The English of a part: exactly the keys that its Chinese has. */
export type Words<T> = Record<keyof T, string>;

export function fill(template: string, params?: Record<string, string | number>): string {
  if (!params) return template;
  return template.replace(/\{(\w+)\}/g, (whole, key: string) => (key in params ? String(params[key]) : whole));
}

export function t(key: MessageKey, params?: Record<string, string | number>): string {
  return fill((station.language === 'en' ? en : zh)[key], params);
}

/** The name of a thing in the station's language; the other one where it is missing. */
export function name(of: Name | null | undefined): string {
  if (!of) return '';
  return station.language === 'en' ? of.en || of.zh : of.zh || of.en;
}

/** A key made of a prefix and a word of the wire; the word itself when the pages do not know it. */
export function word(prefix: string, value: string): string {
  const key = `${prefix}.${value}`;
  return key in zh ? t(key as MessageKey) : value;
}
