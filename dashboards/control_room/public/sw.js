// Service worker of phones: the shell without a network, and push messages. It keeps no answer of the API, so nothing
// old can look alive. A file of its own, for the content policy allows no inline script.
'use strict';

const CACHE = 'shifu-shell';
const SHELL = '/';
/** Small files beside the shell; the newest of the network, and the kept ones without it. */
const BESIDE = ['/boot.js', '/icon.svg', '/icon-192.png', '/badge.png', '/manifest.webmanifest'];
/** Files with a hash in their names: those of two builds. */
const MOST = 400;
const WAIT_MS = 4000;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll([SHELL, ...BESIDE]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(page(request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request));
  else if (BESIDE.includes(url.pathname)) event.respondWith(fetch(request).catch(() => beside(request)));
  // Everything else, and the API above all, goes to the network as if nobody were here.
});

/** A page: the newest shell of the network, and the kept one when none comes within four seconds. */
async function page(request) {
  const cache = await caches.open(CACHE);
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), WAIT_MS);
  try {
    const answer = await fetch(request.url, { signal: abort.signal, credentials: 'same-origin' });
    if (answer.ok && (answer.headers.get('Content-Type') || '').startsWith('text/html')) await cache.put(SHELL, answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match(SHELL);
    if (kept) return kept;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function beside(request) {
  const kept = await (await caches.open(CACHE)).match(new URL(request.url).pathname);
  return kept || Response.error();
}

/** A file whose name carries its hash: it never changes. */
async function asset(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
    const old = (await cache.keys()).filter((key) => new URL(key.url).pathname.startsWith('/assets/'));
    await Promise.all(old.slice(0, Math.max(0, old.length - MOST)).map((key) => cache.delete(key)));
  }
  return answer;
}

/** A path of this server, or the list of alarms: nothing that a message says leads elsewhere. */
function own(path) {
  return typeof path === 'string' && path.startsWith('/') && !path.startsWith('//') && !path.includes('\\') ? path : '/alarms';
}

self.addEventListener('push', (event) => {
  let said = {};
  try {
    said = event.data ? event.data.json() : {};
  } catch {
    // Every push must show something, also one that cannot be read.
  }
  const names = said.names || {};
  const actions = [];
  if (said.acknowledge) actions.push({ action: 'acknowledge', title: names.acknowledge || '確認' });
  actions.push({ action: 'open', title: names.open || '詳情' });
  const shown = self.registration.showNotification(said.title || '市府 Shifu', {
    body: said.body || '',
    lang: said.lang || 'zh-Hant-TW',
    tag: said.tag || 'shifu',
    // What is over takes the place of the alarm without a sound.
    renotify: Boolean(said.tag) && said.kind !== 'cleared',
    silent: said.kind === 'cleared' ? true : undefined,
    requireInteraction: said.stays === true,
    icon: '/icon-192.png',
    badge: '/badge.png',
    data: { see: said.see || '/alarms', acknowledge: said.acknowledge || '' },
    actions,
  });
  event.waitUntil(Promise.all([shown, told(said.receipt)]));
});

/** Say that the message came; the receipt is good for this one message and needs no session. */
async function told(receipt) {
  if (typeof receipt !== 'string' || !receipt) return;
  try {
    await fetch('/api/v1/phone/receipts', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ receipt }), credentials: 'omit' });
  } catch {
    // No network but that of the push service: the controller shows that it was not told.
  }
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const data = event.notification.data || {};
  const target = own(event.action === 'acknowledge' && data.acknowledge ? data.acknowledge : data.see);
  event.waitUntil(
    self.clients.matchAll({ type: 'window', includeUncontrolled: true }).then(async (windows) => {
      const open = windows.find((one) => new URL(one.url).origin === self.location.origin);
      if (!open) return self.clients.openWindow(target);
      await open.focus();
      return open.navigate(target);
    }),
  );
});
