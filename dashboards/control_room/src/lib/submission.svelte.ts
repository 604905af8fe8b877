// What a form sends: one at a time, and when it is refused, why, in the words of the pages.
import { Problem } from './api';
import { explain } from './explain';

export class Submission {
  sending = $state(false);
  refused = $state('');

  /** Do the work of a form that may be sent; a second press meanwhile does nothing. */
  async send(event: SubmitEvent, ready: boolean, work: () => Promise<void>): Promise<void> {
    event.preventDefault();
    if (!ready || this.sending) return;
    this.sending = true;
    this.refused = '';
    try {
      await work();
    } catch (error) {
      const words = explain(error instanceof Problem ? error : new Problem(0, 'page', String(error), ''));
      this.refused = [words.what, words.means, words.todo].filter(Boolean).join(' ');
    } finally {
      this.sending = false;
    }
  }
}
