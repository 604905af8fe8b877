// Serves dist/ and the REST and stream contract over the mock world, with the content policy of the controller.
// `node tests/mock/server.mjs [--port 0]` prints the address. Any user signs in with the password "shifu-mock".
// Extra: POST /mock {"stall":true|false} stops heartbeats, {"close":true} closes the sockets, {"fail":"/api/v1/devices"} answers 500.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { World } from './world.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist');
const world = new World();
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2', '.svg': 'image/svg+xml', '.json': 'application/json' };
const session = { user: { name: 'operator1', display_name: '值班1', role: 'operator' }, permissions: ['view', 'acknowledge', 'command'].map((action) => ({ action, area: '*' })), csrf: 'mock-csrf', expires_at: '2030-01-01T00:00:00Z', must_set_password: false, demo: true };
const mock = { stall: false, fail: '', slow: 0 };
const signedIn = new Set();
let nextSession = 1;

const send = (response, status, body, type = 'application/json') => {
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
  response.end(type === 'application/json' ? JSON.stringify(body) : body);
};
const problem = (response, status, title, detail, what = '') => {
  response.writeHead(status, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify({ type: 'about:blank', title, status, detail, what_to_do: what }));
};
const page = (items, query) => {
  const limit = Number(query.get('limit') ?? 200);
  const from = Number(query.get('cursor') ?? 0);
  return { items: items.slice(from, from + limit), next: from + limit < items.length ? String(from + limit) : null };
};
const body = async (request) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
};
const pairs = (map) => Object.entries(map).map(([id, [zh, en]]) => ({ id, name: { zh, en } }));

function site() {
  const floors = ['B3', 'B2', 'B1', ...Array.from({ length: 12 }, (_, i) => `${i + 1}F`), 'RF'];
  return {
    id: 'taipei-city-hall', name: { zh: '臺北市政府市政大樓', en: 'Taipei City Hall' }, timezone: 'Asia/Taipei', generation: world.generation, version: '0.1.0',
    buildings: [{ id: 'cityhall', name: { zh: '市政大樓', en: 'City Hall' }, floors: floors.map((id, i) => ({ id, index: i < 3 ? i - 3 : i - 2, name: { zh: id, en: id } })) }],
    areas: pairs({ substation: ['變電站', 'Substation'], plant: ['冰水主機房', 'Chilled-water plant'], west: ['西區', 'West wing'], south: ['南區', 'South wing'], north: ['北區', 'North wing'], east: ['東區', 'East wing'], public: ['公共空間', 'Public space'] }),
    systems: pairs({ electrical: ['電力', 'Electrical'], plant: ['冰水系統', 'Chilled water'], hvac: ['空調', 'Air handling'], environment: ['環境', 'Environment'], meter: ['電表', 'Meters'] }),
    equipment: world.equipment,
  };
}

function history(query) {
  const addresses = (query.get('points') ?? '').split(',').filter(Boolean);
  const start = Date.parse(query.get('start'));
  const end = Math.min(Date.parse(query.get('end')), Date.now());
  const buckets = Math.max(1, Number(query.get('buckets') ?? 600));
  const step = (Date.parse(query.get('end')) - start) / buckets;
  return {
    series: addresses.flatMap((address) => {
      const p = world.byAddress.get(address);
      if (!p) return [];
      const out = { address, number: p.number, unit: p.unit, resolution_s: step / 1000, time: [], min: [], mean: [], max: [], last: [], good: [], before: { time: start - 60_000, value: p.base } };
      for (let i = 0; i < buckets; i += 1) {
        const at = start + i * step;
        if (at > end) break;
        const hole = i > buckets * 0.4 && i < buckets * 0.43;
        const v = world.value({ ...p, address: '' }, at).value;
        out.time.push(Math.round(at));
        out.min.push(hole ? null : v - p.swing * 0.2);
        out.mean.push(hole ? null : v);
        out.max.push(hole ? null : v + p.swing * 0.2);
        out.last.push(hole ? null : v);
        out.good.push(hole ? null : 1);
      }
      return [out];
    }),
  };
}

async function api(request, response, path, query) {
  if (mock.slow) await new Promise((resolve) => setTimeout(resolve, mock.slow));
  if (mock.fail && path.startsWith(mock.fail.replace('/api/v1', ''))) return problem(response, 503, 'unavailable', 'the history store does not answer', 'Check the disk of the controller.');
  const cookie = /shifu=(\d+)/.exec(request.headers.cookie ?? '')?.[1];
  const me = cookie && signedIn.has(cookie);
  const { method } = request;
  if (path === '/session' && method === 'POST') {
    const { password } = await body(request);
    if (password !== 'shifu-mock') return problem(response, 401, 'unauthorized', 'user name or password is wrong');
    const id = String(nextSession++);
    signedIn.add(id);
    response.setHeader('Set-Cookie', `shifu=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return send(response, 200, session);
  }
  if (path === '/session/link' && method === 'POST') {
    const { token } = await body(request);
    if (token !== 'once') return problem(response, 401, 'unauthorized', 'the link was used or has expired');
    const id = String(nextSession++);
    signedIn.add(id);
    session.must_set_password = true;
    response.setHeader('Set-Cookie', `shifu=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return send(response, 200, session);
  }
  if (!me) return problem(response, 401, 'unauthorized', 'sign in first');
  if (method !== 'GET' && request.headers['x-csrf-token'] !== session.csrf) return problem(response, 403, 'forbidden', 'X-CSRF-Token is missing or wrong');
  if (path === '/session' && method === 'GET') return send(response, 200, session);
  if (path === '/session' && method === 'DELETE') {
    signedIn.delete(cookie);
    response.writeHead(204);
    return response.end();
  }
  if (path === '/session/password') {
    session.must_set_password = false;
    response.writeHead(204);
    return response.end();
  }
  if (path === '/site') return send(response, 200, site());
  if (path === '/points') {
    const list = world.points.filter((p) => (!query.get('equipment') || p.equipment === query.get('equipment')) && (!query.get('system') || p.system === query.get('system')));
    return send(response, 200, page(list.map((p) => world.point(p)), query));
  }
  let match = /^\/points\/([^/]+)(\/slots)?$/.exec(path);
  if (match) {
    const p = world.byAddress.get(decodeURIComponent(match[1]));
    if (!p) return problem(response, 404, 'not found', `there is no point ${decodeURIComponent(match[1])}`, 'Search for it by name.');
    if (!match[2]) return send(response, 200, world.point(p));
    const slots = world.slots.get(p.address) ?? Array(16).fill(null);
    const winner = slots.find(Boolean);
    return send(response, 200, { point: p.address, present: winner?.value ?? p.base, winner: winner?.slot ?? null, default: p.write?.default ?? null, slots });
  }
  if (path === '/values') {
    const list = query.get('points') ? query.get('points').split(',').map((a) => world.byAddress.get(a)).filter(Boolean) : world.points.filter((p) => p.equipment === query.get('equipment') || p.system === query.get('system'));
    return send(response, 200, { items: list.map((p) => { const v = world.value(p, Date.now()); return { number: p.number, address: p.address, value: Number.isFinite(v.value) ? v.value : null, quality: v.quality, quality_name: '', time: new Date(Date.now() - v.age * 1000).toISOString(), received: null, good_value: p.base, good_time: new Date(Date.now() - 200_000).toISOString() }; }), next: null });
  }
  if (path === '/history') {
    const result = history(query);
    if (query.get('format') === 'csv') return send(response, 200, `time,${result.series.map((s) => s.address)}\n`, 'text/csv');
    return send(response, 200, result);
  }
  if (path === '/alarms') return send(response, 200, { items: [...world.alarms.values()], next: null });
  if (path === '/alarms/acknowledge') {
    const { ids, comment } = await body(request);
    const changed = world.acknowledge(ids, session.user.name, comment);
    for (const item of changed) broadcast('alarms', { type: 'alarm', item });
    return send(response, 200, { items: changed });
  }
  match = /^\/alarms\/([^/]+)(\/journal|\/comment)?$/.exec(path);
  if (match) {
    const id = decodeURIComponent(match[1]);
    if (match[2] === '/journal') return send(response, 200, { items: world.journal.filter((e) => e.alarm === id), next: null });
    if (match[2] === '/comment') {
      const item = world.comment(id, session.user.name, (await body(request)).comment);
      if (item) broadcast('alarms', { type: 'alarm', item });
      return item ? send(response, 200, item) : problem(response, 404, 'not found', id);
    }
    const alarm = world.alarms.get(id);
    return alarm ? send(response, 200, alarm) : problem(response, 404, 'not found', `there is no alarm ${id}`);
  }
  if (path === '/alarm-journal') return send(response, 200, page(world.journal, query));
  if (path === '/devices') return send(response, 200, { items: devices(), next: null });
  match = /^\/devices\/([^/]+)$/.exec(path);
  if (match) {
    const device = devices().find((d) => d.id === decodeURIComponent(match[1]));
    return device ? send(response, 200, device) : problem(response, 404, 'not found', match[1]);
  }
  if (path === '/commands' && method === 'POST') {
    const input = await body(request);
    const p = world.byAddress.get(input.point);
    if (input.value !== null && (input.value < p.write.low || input.value > p.write.high)) return problem(response, 422, 'refused', `value ${input.value} is outside ${p.write.low}..${p.write.high}`);
    const command = world.command(input, session.user.name);
    broadcast('commands', { type: 'command', item: command });
    setTimeout(() => broadcast('commands', { type: 'command', item: Object.assign(command, { state: 'verifying' }) }), 500);
    setTimeout(() => broadcast('commands', { type: 'command', item: Object.assign(command, { state: 'done', readback: command.value, finished_at: new Date().toISOString() }) }), 1800);
    return send(response, 202, { ...command, state: 'accepted' });
  }
  if (path === '/commands') return send(response, 200, { items: world.commands.filter((c) => !query.get('point') || c.point === query.get('point')), next: null });
  match = /^\/commands\/([^/]+)$/.exec(path);
  if (match) return send(response, 200, world.commands.find((c) => c.id === match[1]));
  if (path === '/search') {
    const q = (query.get('q') ?? '').toLowerCase();
    const words = q.split(/\s+/).filter(Boolean);
    const fits = (...texts) => words.every((w) => texts.join(' ').toLowerCase().replaceAll('-', '').includes(w.replaceAll('-', '')));
    const equipment = world.equipment.filter((e) => fits(e.address, e.name.zh, e.name.en)).slice(0, 10);
    const points = world.points.filter((p) => { const e = world.equipment.find((x) => x.address === p.equipment); return fits(p.address, p.name.zh, p.name.en, e.name.zh, e.name.en); }).slice(0, 20).map((p) => world.point(p));
    return send(response, 200, { points, equipment });
  }
  if (path === '/about') return send(response, 200, { name: 'shifu-bms', version: '0.1.0', license: 'Apache-2.0', python: '3.11.9', uptime_s: 259_200, components: [{ name: 'fastapi', version: '0.165.0', license: 'MIT' }, { name: 'numpy', version: '2.4.0', license: 'BSD-3-Clause' }] });
  return problem(response, 404, 'not found', `no route ${path}`);
}

const devices = () => world.devices.map((d) => ({ ...d, last_good: d.state === 'good' ? new Date(Date.now() - 800).toISOString() : d.last_good }));

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  response.setHeader('Content-Security-Policy', "default-src 'self'; style-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'");
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (url.pathname === '/mock') {
    void body(request).then((change) => {
      Object.assign(mock, change);
      if (change.close) for (const client of sockets.clients) client.close(1001);
      send(response, 200, mock);
    });
    return;
  }
  if (url.pathname.startsWith('/api/v1')) {
    api(request, response, url.pathname.slice(7), url.searchParams).catch((error) => problem(response, 500, 'internal', String(error)));
    return;
  }
  const wanted = join(dist, normalize(url.pathname));
  const file = wanted.startsWith(dist) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(dist, 'index.html');
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(response);
});

const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'shifu.v1' });
server.on('upgrade', (request, socket, head) => {
  const cookie = /shifu=(\d+)/.exec(request.headers.cookie ?? '')?.[1];
  if (mock.refuse || !cookie || !signedIn.has(cookie)) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
  sockets.handleUpgrade(request, socket, head, (client) => connect(client));
});

function frame(topic, sequence, points, snapshot) {
  const now = Date.now();
  const buffer = Buffer.alloc(24 + points.length * 17);
  buffer.writeUInt32LE(0x31554653, 0);
  buffer.writeUInt32LE(sequence, 4);
  buffer.writeDoubleLE(now, 8);
  buffer.writeUInt32LE(points.length, 16);
  buffer.writeUInt32LE(((topic << 16) | (snapshot ? 1 : 0)) >>> 0, 20);
  points.forEach((p, i) => {
    const v = world.value(p, now);
    buffer.writeDoubleLE(v.value, 24 + i * 8);
    buffer.writeUInt32LE(p.number, 24 + points.length * 8 + i * 4);
    buffer.writeFloatLE(v.age, 24 + points.length * 12 + i * 4);
    buffer.writeUInt8(v.quality, 24 + points.length * 16 + i);
  });
  return buffer;
}

let nextTopic = 1;
function connect(client) {
  client.topics = new Map();
  const say = (message) => client.send(JSON.stringify(message));
  say({ type: 'hello', generation: world.generation, time: Date.now(), version: '0.1.0' });
  client.on('message', (data) => {
    const message = JSON.parse(String(data));
    for (const topic of message.unsubscribe ?? []) client.topics.delete(topic);
    for (const topic of message.subscribe ?? []) {
      if (topic === 'alarms') {
        client.topics.set(topic, null);
        say({ type: 'subscribed', topic, id: nextTopic++ });
        say({ type: 'alarms', items: [...world.alarms.values()] });
      } else if (topic === 'devices') {
        client.topics.set(topic, null);
        say({ type: 'subscribed', topic, id: nextTopic++ });
        say({ type: 'devices', items: devices() });
      } else if (topic === 'commands') {
        client.topics.set(topic, null);
        say({ type: 'subscribed', topic, id: nextTopic++ });
      } else {
        const points = world.topic(topic);
        if (!points) say({ type: 'refused', topic, reason: 'unknown topic' });
        else {
          const state = { id: nextTopic++, sequence: 1, points };
          client.topics.set(topic, state);
          say({ type: 'subscribed', topic, id: state.id });
          client.send(frame(state.id, state.sequence, points, true));
        }
      }
    }
  });
}
function broadcast(topic, message) {
  for (const client of sockets.clients) if (client.topics?.has(topic)) client.send(JSON.stringify(message));
}
setInterval(() => {
  if (mock.stall) return;
  for (const client of sockets.clients) {
    client.send(JSON.stringify({ type: 'heartbeat', time: Date.now(), generation: world.generation }));
    for (const state of client.topics?.values() ?? []) {
      if (!state) continue;
      const changed = state.points.filter((p) => p.swing > 0 && p.system !== 'environment');
      if (changed.length) client.send(frame(state.id, ++state.sequence, changed, false));
    }
  }
}, 1000);

const at = process.argv.indexOf('--port');
server.listen(at > 0 ? Number(process.argv[at + 1]) : 0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
