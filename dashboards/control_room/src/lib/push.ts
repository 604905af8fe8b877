// The service worker of phones, and this browser's push subscription. Stations of the control room have neither.
import { api } from './api';
import { bytes, type Phone } from './notify';

const MARK = 'shifu.phone';

/** Whether this browser is a phone of the house: installed, or set up for push before. */
function isPhone(): boolean {
  try {
    return matchMedia('(display-mode: standalone)').matches || localStorage.getItem(MARK) === 'yes';
  } catch {
    return false;
  }
}

/** Have the shell at hand without a network; called at the start of every page. */
export function begin(): void {
  if (isSecureContext && 'serviceWorker' in navigator && isPhone()) void register();
}

/**
 * Have the page that is open at hand without a network from its first visit on: the worker comes after the page and has
 * not seen its files. For phones and tablets; a station of the control room stays without a worker.
 */
export async function keepShell(): Promise<boolean> {
  if (!isSecureContext || !('serviceWorker' in navigator) || !('caches' in self) || !matchMedia('(max-width: 760px), (pointer: coarse)').matches) return false;
  await register();
  // What a person has counted is not for the browser to clear away when the disk is full.
  void navigator.storage?.persist?.();
  const cache = await caches.open('shifu-shell');
  const names = performance.getEntriesByType('resource').map((entry) => new URL(entry.name));
  const files = [...new Set(names.filter((url) => url.origin === location.origin && url.pathname.startsWith('/assets/')).map((url) => url.pathname))];
  await Promise.all(files.map(async (file) => ((await cache.match(file)) ? undefined : cache.add(file))));
  return true;
}

async function register(): Promise<ServiceWorkerRegistration> {
  await navigator.serviceWorker.register('/sw.js');
  return navigator.serviceWorker.ready;
}

export async function subscribed(): Promise<PushSubscription | null> {
  if (!('serviceWorker' in navigator)) return null;
  const registration = await navigator.serviceWorker.getRegistration('/');
  return (await registration?.pushManager?.getSubscription()) ?? null;
}

/** Ask for the permission (from a tap alone) and hand the subscription to the controller. */
export async function subscribe(publicKey: string, label: string): Promise<Phone> {
  if ((await Notification.requestPermission()) !== 'granted') throw new Error('permission');
  const registration = await register();
  const old = await registration.pushManager.getSubscription();
  // One that was made for another key of the controller gets nothing.
  await old?.unsubscribe();
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(publicKey) });
  const { endpoint, keys } = made.toJSON();
  const phone = await api.post<Phone>('/phone/subscriptions', { endpoint, keys: { p256dh: keys?.p256dh, auth: keys?.auth }, label });
  try {
    localStorage.setItem(MARK, 'yes');
    localStorage.setItem(`${MARK}.id`, phone.id);
  } catch {
    // Storage refused: the page does not know its own phone in the list, and all else works.
  }
  return phone;
}

/** Id of this browser's phone, as it was told when it was set up. */
export function ownId(): string {
  try {
    return localStorage.getItem(`${MARK}.id`) ?? '';
  } catch {
    return '';
  }
}

export async function unsubscribe(id: string): Promise<void> {
  await api.delete(`/phone/subscriptions/${id}`);
  if (id !== ownId()) return;
  await (await subscribed())?.unsubscribe();
  try {
    localStorage.removeItem(`${MARK}.id`);
  } catch {
    // Nothing was kept.
  }
}
