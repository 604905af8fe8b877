// Keys: single letters are dead in inputs and can be turned off; `g` then a letter goes to a page.
import { PAGES } from './pages';

export interface KeyContext {
  typing: boolean;
  /** Single letters allowed at this station. */
  letters: boolean;
}

export type KeyAction =
  | { kind: 'go'; path: string }
  | { kind: 'search' | 'help' | 'theme' | 'worst' | 'escape' | 'live' | 'acknowledge' | 'acknowledge-page' | 'detail' | 'next' | 'previous' | 'back-range' | 'forward-range' };

export const GO: Record<string, string> = Object.fromEntries(PAGES.filter((entry) => entry.key).map((entry) => [entry.key, entry.path]));
const LETTERS: Record<string, KeyAction> = {
  '/': { kind: 'search' }, '?': { kind: 'help' }, l: { kind: 'live' }, a: { kind: 'acknowledge' }, A: { kind: 'acknowledge-page' },
  j: { kind: 'next' }, k: { kind: 'previous' }, '[': { kind: 'back-range' }, ']': { kind: 'forward-range' },
};
const CHORD_MS = 1500;

export interface KeyPress { key: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean }

export class Keys {
  #chord = -Infinity;

  constructor(private readonly now: () => number) {}

  /** What a key press asks for; null when it asks for nothing. */
  read(press: KeyPress, context: KeyContext): KeyAction | null {
    if ((press.ctrlKey || press.metaKey) && press.key.toLowerCase() === 'k') return { kind: 'search' };
    if (press.ctrlKey || press.metaKey || press.altKey) return null;
    if (press.key === 'F9') return { kind: 'theme' };
    if (press.key === 'F8') return { kind: 'worst' };
    if (press.key === 'Escape') return { kind: 'escape' };
    if (context.typing || !context.letters) return null;
    if (this.now() - this.#chord < CHORD_MS) {
      this.#chord = -Infinity;
      const path = GO[press.key];
      return path === undefined ? null : { kind: 'go', path };
    }
    if (press.key === 'g') {
      this.#chord = this.now();
      return null;
    }
    return LETTERS[press.key] ?? null;
  }
}

export function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  if (!element?.tagName) return false;
  return ['INPUT', 'TEXTAREA', 'SELECT'].includes(element.tagName) || element.isContentEditable;
}
