// The drill under way, as the stream tells every page: for the band, for the marks beside values, for the warden.
import { MARK, type Current } from './drill';
import { live } from './live.svelte';
import { sayStatus } from './say';
import { name } from './i18n';

const NONE: Current = { drill: null, real: [], more: 0, unrecorded: false };

class DrillState {
  current = $state.raw<Current>(NONE);
  /** Grows with each message: pages that show more of the drill ask again. */
  version = $state(0);
  values = $derived(new Map((this.current.drill?.values ?? []).map((v) => [v.point, v.value])));

  constructor() {
    live.on('drill', (message) => {
      const before = this.current;
      this.current = (message.item as Current | null) ?? NONE;
      this.version += 1;
      this.#say(before, this.current);
    });
  }

  /** Something real has ended the drill and is still there. */
  get real(): boolean {
    return this.current.real.length > 0;
  }
  get fire(): boolean {
    return this.current.real.some((s) => s.kind === 'fire');
  }
  get running(): boolean {
    return this.current.drill?.phase === 'running';
  }

  #say(before: Current, now: Current): void {
    // A real signal is an alert of the band itself; here only the quiet changes are said.
    if (now.real.length > 0) return;
    if (now.drill && now.drill.phase !== before.drill?.phase) sayStatus(`${MARK} ${name(now.drill.name)}`);
  }
}

export const drill = new DrillState();
