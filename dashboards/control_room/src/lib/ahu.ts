// The readings of an air handler or fan coil for `reason`; the deviation is the controller's virtual point, else zone
// minus set-point.
import type { AirHandler, FanCoil } from './comfort';
import { binary } from './state';
import { sites } from './site.svelte';

function reader(address: string): (tag: string) => number {
  return (tag) => (sites.quality(address, tag) < 128 ? sites.value(address, tag) : Number.NaN);
}

function off(usable: (tag: string) => number): number {
  const deviation = usable('zone_deviation');
  return Number.isFinite(deviation) ? deviation : usable('zone_temp') - usable('zone_temp_sp');
}

export function fanCoil(address: string): FanCoil {
  const usable = reader(address);
  return { zone: usable('zone_temp'), deviation: off(usable), speed: usable('fan_speed'), valve: binary(address, 'valve_open'), occupied: binary(address, 'occupied') };
}

export function airHandler(address: string): AirHandler {
  const usable = reader(address);
  return {
    zone: usable('zone_temp'),
    deviation: off(usable),
    supply: usable('supply_air_temp'),
    supplySetpoint: usable('supply_air_temp_sp'),
    valve: usable('chw_valve_position'),
    filter: usable('filter_dp'),
    filterLimit: sites.tag(address, 'filter_dp')?.limits?.high ?? 250,
    fan: binary(address, 'fan_run'),
    fanFault: binary(address, 'fan_fault'),
    smoke: binary(address, 'smoke_damper_closed'),
    freeze: binary(address, 'freeze_stat'),
    dirty: binary(address, 'filter_dirty'),
    told: binary(address, 'fan_cmd'),
    noAirflow: binary(address, 'no_airflow'),
  };
}
