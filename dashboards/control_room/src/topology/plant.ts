// The chilled-water plant from the equipment list: towers → condenser pumps → chillers → chilled-water pumps → building.
import type { Equipment } from '../lib/types';
import type { Link, Node } from './graph';

export interface Plant { towers: Equipment[]; condenserPumps: Equipment[]; chillers: Equipment[]; chilledPumps: Equipment[]; header: Equipment | undefined; links: Link[] }

const byNumber = (a: Equipment, b: Equipment): number => a.address.localeCompare(b.address, 'en', { numeric: true });

export function plant(equipment: readonly Equipment[]): Plant {
  const here = equipment.filter((e) => e.system === 'plant');
  const of = (test: (e: Equipment) => boolean): Equipment[] => here.filter(test).sort(byNumber);
  const towers = of((e) => e.cls === 'cooling_tower');
  const condenserPumps = of((e) => e.cls === 'pump' && e.parameters.loop === 'condenser');
  const chilledPumps = of((e) => e.cls === 'pump' && e.parameters.loop === 'chilled');
  const chillers = of((e) => e.cls === 'chiller');
  const links: Link[] = [{ from: 'cw-discharge', to: 'cw-return' }];
  for (const pump of condenserPumps) links.push({ from: pump.address, to: 'cw-suction' }, { from: pump.address, to: 'cw-discharge' });
  for (const tower of towers) links.push({ from: 'cw-return', to: tower.address }, { from: tower.address, to: 'cw-basin' });
  for (const chiller of chillers) links.push({ from: 'cw-discharge', to: `${chiller.address}#condenser` }, { from: 'chw-suction', to: `${chiller.address}#evaporator` });
  for (const pump of chilledPumps) links.push({ from: pump.address, to: 'chw-suction' }, { from: pump.address, to: 'chw-supply' });
  links.push({ from: 'chw-supply', to: 'chw-return' });
  return { towers, condenserPumps, chillers, chilledPumps, header: here.find((e) => e.cls === 'plant_header'), links };
}

/** Nodes with what is known now: a running pump moves its water; a chiller that is off is taken to be shut by its valves. */
export function plantNodes(p: Plant, running: (address: string) => boolean | null): Node[] {
  const pumps = [...p.condenserPumps, ...p.chilledPumps].map((e) => ({ id: e.address, source: running(e.address), conducts: running(e.address) }));
  const junctions = ['cw-suction', 'cw-discharge', 'cw-return', 'cw-basin', 'chw-suction', 'chw-supply', 'chw-return'].map((id) => ({ id }));
  const towers = p.towers.map((e) => ({ id: e.address }));
  const chillers = p.chillers.flatMap((e) => [{ id: `${e.address}#condenser`, conducts: running(e.address) }, { id: `${e.address}#evaporator`, conducts: running(e.address) }]);
  return [...pumps, ...junctions, ...towers, ...chillers];
}
