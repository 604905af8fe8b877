// Results of what the person did, bottom left; never alarms. A failure stays until it is closed.
import { Problem } from './api';
import { explain } from './explain';
import { t } from './i18n';
import { sayStatus } from './say';

export interface Toast { id: number; text: string; failed: boolean }
const SHOWN_MS = 8000;
const MOST = 4;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;

  add(text: string, failed = false): void {
    const toast = { id: this.#next++, text, failed };
    this.list = [...this.list, toast].slice(-MOST);
    sayStatus(text);
    if (!failed) setTimeout(() => this.close(toast.id), SHOWN_MS);
  }

  close(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** Do something and say how it went; true when it went well. */
  async run(action: () => Promise<unknown>, done: string): Promise<boolean> {
    try {
      await action();
      this.add(done);
      return true;
    } catch (error) {
      const words = error instanceof Problem ? explain(error) : { what: t('error.page'), means: String(error), todo: '' };
      this.add([words.what, words.means, words.todo].filter(Boolean).join(' '), true);
      return false;
    }
  }
}

export const toasts = new Toasts();
