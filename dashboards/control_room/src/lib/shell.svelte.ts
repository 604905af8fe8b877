// What pages offer to the shell's keys, and which overlay is open.
import type { KeyAction } from './keyboard';

class Shell {
  searching = $state(false);
  helping = $state(false);
  #handlers: ((action: KeyAction) => boolean)[] = [];

  /** Answer keys (rows, acknowledge, range) until the returned function is called; the newest answers first. */
  answer(handler: (action: KeyAction) => boolean): () => void {
    this.#handlers = [handler, ...this.#handlers];
    return () => {
      this.#handlers = this.#handlers.filter((h) => h !== handler);
    };
  }

  ask(action: KeyAction): boolean {
    return this.#handlers.some((handler) => handler(action));
  }
}

export const shell = new Shell();
