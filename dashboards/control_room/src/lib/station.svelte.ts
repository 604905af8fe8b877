// What a station remembers for itself, not for its users: theme, language, single-key shortcuts.
import type { Language } from './format';

export type Theme = 'night' | 'day';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage refused: the choice lasts until the page is closed.
  }
}

class Station {
  theme = $state<Theme>(read('shifu.theme') === 'day' ? 'day' : 'night');
  language = $state<Language>(read('shifu.language') === 'en' ? 'en' : 'zh-TW');
  /** Single-letter shortcuts can be turned off (WCAG 2.1.4). */
  keys = $state(read('shifu.keys') !== 'off');

  setTheme(theme: Theme): void {
    this.theme = theme;
    document.documentElement.dataset.theme = theme;
    write('shifu.theme', theme);
  }
  setLanguage(language: Language): void {
    this.language = language;
    document.documentElement.lang = language === 'en' ? 'en' : 'zh-Hant-TW';
    write('shifu.language', language);
  }
  setKeys(on: boolean): void {
    this.keys = on;
    write('shifu.keys', on ? 'on' : 'off');
  }
}

export const station = new Station();
