// A form sends once, says why it was refused, and can be sent again.
import { describe, expect, it } from 'vitest';
import { Problem } from '../../src/lib/api';
import { Submission } from '../../src/lib/submission.svelte';

const press = (): SubmitEvent => new Event('submit', { cancelable: true }) as SubmitEvent;

describe('submission', () => {
  it('sends nothing that is not ready, and never lets the browser send it', async () => {
    const submission = new Submission();
    const event = press();
    let sent = 0;
    await submission.send(event, false, async () => void sent++);
    expect([sent, event.defaultPrevented]).toEqual([0, true]);
  });

  it('sends once while it is under way', async () => {
    const submission = new Submission();
    let sent = 0;
    let answer = (): void => undefined;
    const work = (): Promise<void> => new Promise((resolve) => { sent++; answer = resolve; });
    const first = submission.send(press(), true, work);
    expect(submission.sending).toBe(true);
    await submission.send(press(), true, work);
    expect(sent).toBe(1);
    answer();
    await first;
    expect(submission.sending).toBe(false);
  });

  it('says why it was refused, until it is sent again', async () => {
    const submission = new Submission();
    await submission.send(press(), true, () => Promise.reject(new Problem(409, 'refused', 'somebody changed it', 'Read it again.')));
    expect(submission.refused).toContain('somebody changed it');
    expect(submission.refused).toContain('Read it again.');
    expect(submission.sending).toBe(false);
    await submission.send(press(), true, () => Promise.resolve());
    expect(submission.refused).toBe('');
  });

  it('says a fault of the page as well', async () => {
    const submission = new Submission();
    await submission.send(press(), true, () => Promise.reject(new TypeError('no such thing')));
    expect(submission.refused).toContain('no such thing');
  });
});
