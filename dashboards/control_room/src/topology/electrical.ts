// The one-line diagram from the equipment list: supply → breaker and transformer → low-voltage bus → feeders.
import type { Equipment } from '../lib/types';
import type { Link, Node } from './graph';

export interface Column { transformer: Equipment; bus: Equipment | undefined; feeders: Equipment[] }

export interface OneLine { main: Equipment | undefined; columns: Column[]; links: Link[] }

const byNumber = (a: Equipment, b: Equipment): number => a.address.localeCompare(b.address, 'en', { numeric: true });

export const breakerId = (tx: string): string => `${tx}#breaker`;

/** Follow `feeds` and `fed_by` of the equipment; what is fed by nothing known is left out of the drawing. */
export function oneLine(equipment: readonly Equipment[]): OneLine {
  const here = equipment.filter((e) => e.system === 'electrical');
  const main = here.find((e) => e.address.endsWith('.main'));
  const columns = here
    .filter((e) => e.cls === 'transformer')
    .sort(byNumber)
    .map((transformer) => {
      const bus = here.find((e) => e.address === transformer.parameters.feeds) ?? here.find((e) => e.parameters.fed_by === transformer.address);
      const feeders = bus ? here.filter((e) => e.parameters.fed_by === bus.address).sort(byNumber) : [];
      return { transformer, bus, feeders };
    });
  const links: Link[] = [{ from: 'supply', to: 'hv' }];
  for (const { transformer, bus, feeders } of columns) {
    links.push({ from: 'hv', to: breakerId(transformer.address) }, { from: breakerId(transformer.address), to: transformer.address });
    if (bus) {
      links.push({ from: transformer.address, to: bus.address });
      for (const feeder of feeders) links.push({ from: bus.address, to: feeder.address });
    }
  }
  return { main, columns, links };
}

/** Nodes with what is known now: the supply by the main meter's voltage, breakers by their contacts. */
export function electricalNodes(line: OneLine, supply: boolean | null, closed: (transformer: string) => boolean | null): Node[] {
  const nodes: Node[] = [{ id: 'supply', source: supply }, { id: 'hv' }];
  for (const { transformer, bus, feeders } of line.columns) {
    nodes.push({ id: breakerId(transformer.address), conducts: closed(transformer.address) }, { id: transformer.address });
    if (bus) nodes.push({ id: bus.address }, ...feeders.map((f) => ({ id: f.address })));
  }
  return nodes;
}
