// English, part by part; a key that is missing does not compile.
import { air } from './air';
import { commissioning } from './commissioning';
import { core } from './core';
import { drill } from './drill';
import { energy } from './energy';
import { events } from './events';
import { fire } from './fire';
import { lift } from './lift';
import { maintenance } from './maintenance';
import { matrix } from './matrix';
import { meters } from './meters';
import { notify } from './notify';
import { overview } from './overview';
import { parking } from './parking';
import { plan } from './plan';
import { power } from './power';
import { schedule } from './schedule';
import { security } from './security';
import { strategy } from './strategy';
import { system } from './system';

export const en = { ...core, ...air, ...power, ...parking, ...security, ...lift, ...fire, ...drill, ...matrix, ...meters, ...events, ...maintenance, ...energy, ...commissioning, ...plan, ...notify, ...overview, ...schedule, ...strategy, ...system };
