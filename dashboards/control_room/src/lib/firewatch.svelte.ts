// What the controller makes of the fire panel: pushed to every page, ahead of everything else.
import { live } from './live.svelte';
import type { FireItem, FireStatus } from './types';

class FireWatch {
  item = $state.raw<FireItem | null>(null);

  constructor() {
    live.on('fire', (message) => {
      this.item = message.item as FireItem;
    });
  }

  /** False on a site without a panel. */
  get watched(): boolean {
    return this.item !== null && this.item.panel !== '';
  }
  /** A fire that was told stays one while the connection is lost; anything else is unknown then. */
  get status(): FireStatus {
    const status = this.item?.status ?? 'unknown';
    return live.lost && status !== 'fire' ? 'unknown' : status;
  }
  get active(): boolean {
    return this.watched && this.item?.phase === 'active';
  }
}

export const fires = new FireWatch();
