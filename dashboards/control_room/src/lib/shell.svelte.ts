// What pages offer to the shell's keys, and which overlay is open.
import type { KeyAction } from './keyboard';

class Shell {
  searching = $state(false);
  helping = $state(false);
  #page: ((action: KeyAction) => boolean) | null = null;

  /** A page answers keys (rows, acknowledge, range) while it is mounted. */
  answer(handler: (action: KeyAction) => boolean): () => void {
    this.#page = handler;
    return () => {
      if (this.#page === handler) this.#page = null;
    };
  }

  ask(action: KeyAction): boolean {
    return this.#page?.(action) ?? false;
  }
}

export const shell = new Shell();
