// One picture of a camera, as a data URL (the content policy allows no other foreign image), with the time it was taken.
import { api, BASE, Problem } from './api';

export interface Snapshot {
  /** Empty when the camera gives none now. */
  url: string;
  /** ms since 1970 by the server; NaN when nobody knows how old it is. */
  time: number;
  problem: string;
}
const DEADLINE_MS = 6_000;

export async function fetchSnapshot(address: string, signal: AbortSignal): Promise<Snapshot> {
  const response = await fetch(`${BASE}/cameras/${encodeURIComponent(address)}/snapshot`, {
    credentials: 'same-origin',
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
  });
  if (response.status === 401) api.onUnauthorized();
  if (response.status === 204) return { url: '', time: Number.NaN, problem: response.headers.get('X-Picture-Problem') ?? '' };
  if (!response.ok) throw new Problem(response.status, response.statusText, '', '');
  const taken = response.headers.get('X-Picture-Time');
  return { url: await dataUrl(await response.blob()), time: taken ? Date.parse(taken) : Number.NaN, problem: '' };
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Problem(0, 'network', '', ''));
    reader.readAsDataURL(blob);
  });
}
