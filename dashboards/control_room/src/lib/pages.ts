// Every page once: its address, how it is fetched, the systems whose alarms it shows, and where it is offered.
// A page that nobody opens costs nothing: all but the first ones are fetched when they are asked for.
import type { Component } from 'svelte';

/** A page takes the parameters of its address as properties. */
type Loader = () => Promise<{ default: Component<Record<string, string>> }>;

export interface PageEntry {
  id: string;
  /** `:name` is one part of the address, `*name` all the rest. */
  path: string;
  load: Loader;
  /** Systems (second word of an equipment's address) that belong to it, for badges and breadcrumbs. */
  systems: string[];
  /** Shown in the rail, with the icon and word of that name. */
  rail: boolean;
  /** Offered by the search and by 更多. */
  offered: boolean;
  /** Shown as one of the phone's tabs. */
  phone: boolean;
  /** `g` and this letter go there. */
  key: string;
  /** The page above it in the breadcrumb. */
  above: string;
}

function page(id: string, path: string, load: () => Promise<{ default: unknown }>, more: Partial<PageEntry> = {}): PageEntry {
  return { id, path, load: load as Loader, systems: [], rail: false, offered: !/[:*]/.test(path), phone: false, key: '', above: '', ...more };
}

export const PAGES: PageEntry[] = [
  page('overview', '/', () => import('../pages/OverviewPage.svelte'), { rail: true, phone: true, key: 'o' }),
  page('electrical', '/electrical', () => import('../pages/ElectricalPage.svelte'), { rail: true, systems: ['electrical'], key: 'e' }),
  page('standby', '/standby', () => import('../pages/StandbyPage.svelte'), { systems: ['standby'], above: 'electrical' }),
  page('plant', '/plant', () => import('../pages/PlantPage.svelte'), { rail: true, systems: ['plant'], key: 'p' }),
  page('floors', '/floors', () => import('../pages/FloorsPage.svelte'), { rail: true, systems: ['hvac'], key: 'f' }),
  page('floor', '/floors/:building/:floor', () => import('../pages/FloorPage.svelte'), { above: 'floors' }),
  page('plan-edit', '/floors/:building/:floor/edit', () => import('../pages/PlanEditPage.svelte'), { above: 'floors' }),
  page('iaq', '/iaq', () => import('../pages/IaqPage.svelte'), { rail: true, systems: ['environment'], key: 'q' }),
  page('car-park', '/car-park', () => import('../pages/CarParkPage.svelte'), { rail: true, systems: ['carpark'] }),
  page('ev', '/ev', () => import('../pages/EvPage.svelte'), { rail: true, systems: ['ev', 'parking'], key: 'c' }),
  page('meters', '/meters', () => import('../pages/MetersPage.svelte'), { rail: true, systems: ['meter', 'water'] }),
  page('energy', '/energy', () => import('../pages/EnergyPage.svelte'), { key: 'y' }),
  page('reports', '/reports', () => import('../pages/ReportsPage.svelte'), { above: 'energy' }),
  page('strategies', '/strategies', () => import('../pages/StrategiesPage.svelte'), { key: 'x' }),
  page('strategy', '/strategies/:id', () => import('../pages/StrategiesPage.svelte'), { above: 'strategies' }),
  page('fire', '/fire', () => import('../pages/FirePage.svelte'), { rail: true, systems: ['fire'] }),
  page('fire-matrix', '/fire/matrix', () => import('../pages/FireMatrixPage.svelte'), { above: 'fire' }),
  page('drills', '/drills', () => import('../pages/DrillsPage.svelte'), { above: 'fire' }),
  page('drill', '/drills/:id', () => import('../pages/DrillPage.svelte'), { above: 'drills' }),
  page('warden', '/warden', () => import('../pages/WardenPage.svelte'), { above: 'drills' }),
  page('security', '/security', () => import('../pages/SecurityPage.svelte'), { rail: true, systems: ['access', 'intrusion', 'sos', 'intercom', 'cctv'], key: 'n' }),
  page('doors', '/security/doors', () => import('../pages/DoorsPage.svelte'), { systems: ['access'], above: 'security' }),
  page('help-points', '/security/help', () => import('../pages/HelpPointsPage.svelte'), { systems: ['sos', 'intercom'], above: 'security' }),
  page('intrusion', '/security/intrusion', () => import('../pages/IntrusionPage.svelte'), { systems: ['intrusion'], above: 'security' }),
  page('cameras', '/security/cameras', () => import('../pages/CamerasPage.svelte'), { systems: ['cctv'], above: 'security' }),
  page('camera', '/security/cameras/*address', () => import('../pages/CameraPage.svelte'), { above: 'cameras' }),
  page('lifts', '/lifts', () => import('../pages/LiftsPage.svelte'), { rail: true, systems: ['lift'] }),
  page('alarms', '/alarms', () => import('../pages/AlarmsPage.svelte'), { rail: true, phone: true, key: 'a' }),
  page('alarm', '/alarms/*id', () => import('../pages/AlarmPage.svelte'), { above: 'alarms' }),
  page('events', '/events', () => import('../pages/EventsPage.svelte')),
  page('trend', '/trend', () => import('../pages/TrendPage.svelte'), { rail: true, key: 't' }),
  page('schedules', '/schedules', () => import('../pages/SchedulesPage.svelte'), { key: 's' }),
  page('maintenance', '/maintenance', () => import('../pages/MaintenancePage.svelte'), { rail: true }),
  page('devices', '/devices', () => import('../pages/DevicesPage.svelte'), { rail: true, key: 'd' }),
  page('device-new', '/devices/new', () => import('../pages/DeviceNewPage.svelte'), { above: 'devices', offered: false }),
  page('device-edit', '/devices/:id/edit', () => import('../pages/DeviceEditPage.svelte'), { above: 'devices' }),
  page('device', '/devices/:id', () => import('../pages/DevicePage.svelte'), { above: 'devices' }),
  page('commissioning', '/commissioning', () => import('../pages/CommissioningPage.svelte'), { above: 'devices' }),
  page('point', '/points/*address', () => import('../pages/PointPage.svelte')),
  page('equipment', '/equipment/*address', () => import('../pages/EquipmentPage.svelte')),
  page('duty', '/duty', () => import('../pages/DutyPage.svelte')),
  page('notifications', '/notifications', () => import('../pages/NotificationsPage.svelte'), { above: 'duty' }),
  page('phone', '/phone', () => import('../pages/PhonePage.svelte')),
  page('about', '/about', () => import('../pages/AboutPage.svelte')),
  page('more', '/more', () => import('../pages/MorePage.svelte'), { offered: false }),
  page('password', '/password', () => import('../pages/PasswordPage.svelte'), { offered: false }),
  page('missing', '/missing', () => import('../pages/MissingPage.svelte'), { offered: false }),
];

const byId = new Map(PAGES.map((entry) => [entry.id, entry]));

export function pageOf(id: string): PageEntry {
  return byId.get(id) ?? (byId.get('missing') as PageEntry);
}

/** The page that shows a system; the last one that names it, which is the closest. */
export function pageOfSystem(system: string): PageEntry | undefined {
  return PAGES.findLast((entry) => entry.systems.includes(system));
}

/** A page and those above it, the closest first: what the rail marks and the breadcrumb shows. */
export function trail(id: string): string[] {
  const found: string[] = [];
  for (let at: string = id; at && !found.includes(at); at = pageOf(at).above) found.push(at);
  return found;
}
