// The readings of an air handler for `reason`; the deviation is the controller's virtual point, else zone minus set-point.
import type { AirHandler } from './comfort';
import { binary } from './state';
import { sites } from './site.svelte';

export function airHandler(address: string): AirHandler {
  const usable = (tag: string): number => {
    const quality = sites.quality(address, tag);
    return quality < 128 ? sites.value(address, tag) : Number.NaN;
  };
  const zone = usable('zone_temp');
  const deviation = usable('zone_deviation');
  return {
    zone,
    deviation: Number.isFinite(deviation) ? deviation : zone - usable('zone_temp_sp'),
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
  };
}
