// Numbers for arithmetic: what is stale or bad is no number, so that no sum claims more than is known.
import { isGood } from './quality';
import { sites } from './site.svelte';

/** The value of an equipment's point when it is good, else NaN. */
export function known(equipment: string, tag: string): number {
  return isGood(sites.quality(equipment, tag)) ? sites.value(equipment, tag) : Number.NaN;
}
