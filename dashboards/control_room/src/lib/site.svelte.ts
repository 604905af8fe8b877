// The site and its points, fetched once and again when the controller's configuration changes.
import { api } from './api';
import { floorIndex } from './format';
import { live } from './live.svelte';
import type { Equipment, Name, Point, Site } from './types';

class SiteState {
  site = $state.raw<Site | null>(null);
  /** Grows with each list of points that arrived; reading it makes a component look again. */
  version = $state(0);
  #points = new Map<string, Point>();
  #byNumber = new Map<number, Point>();
  #byEquipment = new Map<string, Point[]>();
  #lists = new Map<string, Promise<Point[]>>();
  #equipment = new Map<string, Equipment>();
  #floors = new Map<string, Name>();
  #areas = new Map<string, Name>();
  #generation = 0;

  async load(): Promise<void> {
    const site = await api.get<Site>('/site');
    this.#equipment = new Map(site.equipment.map((e) => [e.address, e]));
    this.#floors = new Map(site.buildings.flatMap((b) => b.floors.map((f) => [f.id, f.name] as const)));
    this.#areas = new Map(site.areas.map((a) => [a.id, a.name]));
    this.#generation = site.generation;
    this.site = site;
  }

  /** A new configuration: forget the lists, pages ask again. */
  async refresh(generation: number): Promise<void> {
    if (generation === this.#generation || !this.site) return;
    this.#generation = generation;
    this.#lists.clear();
    await this.load();
    this.version += 1;
  }

  async points(query: { system?: string; tags?: string; equipment?: string; building?: string; floor?: string }): Promise<Point[]> {
    const key = JSON.stringify(query);
    let list = this.#lists.get(key);
    if (!list) {
      list = api.all<Point>('/points', query).then((points) => {
        this.#keep(points);
        return points;
      });
      list.catch(() => this.#lists.delete(key));
      this.#lists.set(key, list);
    }
    return list;
  }

  async one(address: string): Promise<Point> {
    const known = this.#points.get(address);
    if (known) return known;
    const point = await api.get<Point>(`/points/${encodeURIComponent(address)}`);
    this.#keep([point]);
    return point;
  }

  #keep(points: Point[]): void {
    for (const point of points) {
      this.#points.set(point.address, point);
      this.#byNumber.set(point.number, point);
      const list = this.#byEquipment.get(point.equipment) ?? [];
      const at = list.findIndex((p) => p.address === point.address);
      if (at >= 0) list[at] = point;
      else list.push(point);
      this.#byEquipment.set(point.equipment, list);
    }
    this.version += 1;
  }

  point(address: string): Point | undefined {
    void this.version;
    return this.#points.get(address);
  }
  /** Point of an equipment by its tag; virtual points by the last word of their address. */
  tag(equipment: string, tag: string): Point | undefined {
    return this.point(`${equipment}.${tag}`);
  }
  /** The present number of an equipment's point by tag, NaN when there is none (reactive while mounted). */
  value(equipment: string, tag: string): number {
    const point = this.tag(equipment, tag);
    return point ? live.cell(point.number).value : Number.NaN;
  }
  quality(equipment: string, tag: string): number {
    const point = this.tag(equipment, tag);
    return point ? live.quality(live.cell(point.number).quality) : 255;
  }
  ofEquipment(address: string): Point[] {
    void this.version;
    return this.#byEquipment.get(address) ?? [];
  }
  equipment(address: string): Equipment | undefined {
    void this.site;
    return this.#equipment.get(address);
  }
  byClass(cls: string): Equipment[] {
    return this.site?.equipment.filter((e) => e.cls === cls) ?? [];
  }
  bySystem(system: string): Equipment[] {
    return this.site?.equipment.filter((e) => e.system === system) ?? [];
  }
  onFloor(building: string, floor: string): Equipment[] {
    return this.site?.equipment.filter((e) => e.building === building && e.floor === floor) ?? [];
  }
  floorName(id: string): Name {
    return this.#floors.get(id) ?? { zh: id, en: id };
  }
  areaName(id: string): Name {
    return this.#areas.get(id) ?? { zh: id, en: id };
  }
  systemName(id: string): Name {
    return this.site?.systems.find((s) => s.id === id)?.name ?? { zh: id, en: id };
  }
  /** Floors of the first building from the top. */
  get floors(): string[] {
    const ids = this.site?.buildings[0]?.floors.map((f) => f.id) ?? [];
    return [...ids].sort((a, b) => floorIndex(b) - floorIndex(a));
  }
  /** Where an equipment is, in words. */
  place(address: string): Name {
    const e = this.equipment(address);
    if (!e) return { zh: '', en: '' };
    const area = e.area ? this.areaName(e.area) : { zh: '', en: '' };
    return { zh: `${e.floor} ${area.zh}`.trim(), en: `${e.floor} ${area.en}`.trim() };
  }
}

export const sites = new SiteState();
