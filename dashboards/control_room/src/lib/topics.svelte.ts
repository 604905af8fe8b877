// Topics of a page: received while the page is mounted. Call during component initialisation.
import { live } from './live.svelte';
import { sites } from './site.svelte';
import { Resource } from './resource.svelte';

/** `tags`: of a large system only the points with these last words, with commas. */
export interface Wanted { system?: string; tags?: string; equipment?: string; /** With its building. */ floor?: string; building?: string }

const topicOf = (w: Wanted): string => (w.system ? `system:${w.system}${w.tags ? `/${w.tags}` : ''}` : w.floor ? `floor:${w.building}/${w.floor}` : `equipment:${w.equipment}`);

/** Subscribe to systems, floors and equipment and fetch their points; the resource says how the fetch goes. */
export function useTopics(wanted: () => Wanted[]): Resource<true> {
  const resource = new Resource<true>();
  const key = $derived(JSON.stringify(wanted()));
  $effect(() => {
    const list = JSON.parse(key) as Wanted[];
    const releases = list.map((w) => live.stream.subscribe(topicOf(w)));
    return () => {
      for (const release of releases) release();
    };
  });
  $effect(() => {
    const list = JSON.parse(key) as Wanted[];
    void live.generation;
    void resource.load(async () => {
      await Promise.all(list.map((w) => sites.points(w)));
      return true;
    });
    return () => resource.stop();
  });
  return resource;
}

export function useTopic(topic: () => string): void {
  const name = $derived(topic());
  $effect(() => live.stream.subscribe(name));
}
