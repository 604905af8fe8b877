// The present state of one door, zone, button, station or camera; reactive while the page that asks is shown.
import { buttonState, callState, cameraState, doorState, zoneState, type ButtonState, type CallState, type CameraState, type DoorState, type ZoneState } from './security';
import { sites } from './site.svelte';
import type { Equipment } from './types';

/** The worst quality of the points that decide; a point that the model has not got decides nothing. */
function quality(address: string, tags: string[]): number {
  let worst = -1;
  for (const tag of tags) if (sites.tag(address, tag)) worst = Math.max(worst, sites.quality(address, tag));
  return worst < 0 ? 255 : worst;
}

export function doorNow({ address }: Equipment): DoorState {
  return doorState({
    mode: sites.value(address, 'mode'),
    position: sites.value(address, 'position'),
    lock: sites.value(address, 'lock'),
    alarm: sites.value(address, 'alarm'),
    released: sites.value(address, 'fire_released'),
    quality: quality(address, ['mode', 'position', 'lock', 'alarm']),
  });
}

export function zoneNow({ address }: Equipment): ZoneState {
  return zoneState(sites.value(address, 'state'), quality(address, ['state']));
}

export function buttonNow({ address }: Equipment): ButtonState {
  return buttonState(sites.value(address, 'pressed'), sites.value(address, 'tamper'), quality(address, ['pressed', 'tamper']));
}

export function callNow({ address }: Equipment): CallState {
  return callState(sites.value(address, 'call'), sites.value(address, 'registered'), quality(address, ['call']));
}

export function cameraNow({ address }: Equipment): CameraState {
  return cameraState({
    online: sites.value(address, 'online'),
    loss: sites.value(address, 'signal_loss'),
    covered: sites.value(address, 'scene_change'),
    storage: sites.value(address, 'storage_failure'),
    quality: quality(address, ['online', 'signal_loss', 'scene_change', 'storage_failure']),
  });
}

export function motionNow({ address }: Equipment): boolean {
  return sites.value(address, 'motion') === 1;
}
