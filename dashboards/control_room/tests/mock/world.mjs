// A small City Hall with moving values, for looking at the pages without the controller. Shapes follow the HTTP API.

const FLOORS = ['B3', 'B2', 'B1', ...Array.from({ length: 12 }, (_, i) => `${i + 1}F`), 'RF'];
const AREAS = { substation: ['變電站', 'Substation'], plant: ['冰水主機房', 'Chilled-water plant'], west: ['西區', 'West wing'], south: ['南區', 'South wing'], north: ['北區', 'North wing'], east: ['東區', 'East wing'], public: ['公共空間', 'Public space'] };
const SYSTEMS = { electrical: ['電力', 'Electrical'], plant: ['冰水系統', 'Chilled water'], hvac: ['空調', 'Air handling'], environment: ['環境', 'Environment'], meter: ['電表', 'Meters'] };
const name = (zh, en) => ({ zh, en });
const noLimits = { high_high: null, high: null, low: null, low_low: null };

/** tag: [zh, en, unit, base, swing, decimals, extra] */
const METER = {
  voltage_l1n: ['L1 相電壓', 'Voltage L1-N', 'V', 220, 2, 1], voltage_l12: ['L1-L2 線電壓', 'Voltage L1-L2', 'V', 381, 3, 1, { limits: { ...noLimits, high: 400, low: 360 } }],
  voltage_l23: ['L2-L3 線電壓', 'Voltage L2-L3', 'V', 380, 3, 1], voltage_l31: ['L3-L1 線電壓', 'Voltage L3-L1', 'V', 382, 3, 1],
  current_l1: ['L1 電流', 'Current L1', 'A', 400, 40, 1], current_l2: ['L2 電流', 'Current L2', 'A', 395, 40, 1], current_l3: ['L3 電流', 'Current L3', 'A', 405, 40, 1],
  power: ['有效功率', 'Active power', 'kW', 240, 30, 1], reactive_power: ['無效功率', 'Reactive power', 'kvar', 60, 10, 1], apparent_power: ['視在功率', 'Apparent power', 'kVA', 250, 30, 1],
  power_factor: ['功率因數', 'Power factor', '', 0.97, 0.01, 2, { low: -1, high: 1, limits: { ...noLimits, low: 0.95 } }], frequency: ['頻率', 'Frequency', 'Hz', 60, 0.03, 2],
  energy_import: ['累計用電', 'Energy import', 'kWh', 1234567.8, 0, 1, { kind: 'counter' }], demand: ['需量', 'Demand', 'kW', 235, 10, 1], thd_v_l1: ['L1 電壓總諧波失真', 'THD voltage L1', '%', 2.3, 0.3, 1],
};
const TX = {
  winding_temp_a: ['A 相繞組溫度', 'Winding temperature A', '°C', 88, 3, 1, { low: 0, high: 240, limits: { high_high: 150, high: 120, low: null, low_low: null } }],
  winding_temp_b: ['B 相繞組溫度', 'Winding temperature B', '°C', 90, 3, 1, { low: 0, high: 240, limits: { high_high: 150, high: 120, low: null, low_low: null } }],
  winding_temp_c: ['C 相繞組溫度', 'Winding temperature C', '°C', 86, 3, 1, { low: 0, high: 240, limits: { high_high: 150, high: 120, low: null, low_low: null } }],
  core_temp: ['鐵心溫度', 'Core temperature', '°C', 70, 2, 1], winding_temp_max: ['最高繞組溫度', 'Highest winding temperature', '°C', 90, 3, 1, { virtual: true, low: 0, high: 240, limits: { high_high: 150, high: 120, low: null, low_low: null } }],
  load_factor: ['負載率', 'Load factor', '%', 60, 5, 1, { virtual: true, low: 0, high: 150, limits: { high_high: 100, high: 85, low: null, low_low: null } }],
  breaker_closed: ['斷路器投入', 'Breaker closed', '', 1, 0, 0, { kind: 'binary' }], breaker_tripped: ['斷路器跳脫', 'Breaker tripped', '', 0, 0, 0, { kind: 'binary' }],
  racked_in: ['斷路器插入', 'Racked in', '', 1, 0, 0, { kind: 'binary' }], earth_switch_closed: ['接地開關投入', 'Earthing switch closed', '', 0, 0, 0, { kind: 'binary' }], door_open: ['箱門開啟', 'Door open', '', 0, 0, 0, { kind: 'binary' }],
  tap_position: ['分接頭位置', 'Tap position', '', 3, 0, 0, { kind: 'multistate', states: ['−5 %', '−2.5 %', '0', '+2.5 %', '+5 %'].map((s, i) => ({ value: i + 1, name: name(s, s) })) }],
};
const CH_STATES = [['停止', 'Off'], ['啟動中', 'Start-up'], ['運轉', 'Running'], ['卸載', 'Unloading'], ['抽氣', 'Pump-down'], ['再啟動等待', 'Recycle wait'], ['跳脫', 'Tripped'], ['閉鎖', 'Lock-out']].map(([zh, en], value) => ({ value, name: name(zh, en) }));
const write = (low, high, confirm = 'A', fallback = null) => ({ low, high, default: fallback, fail: 'hold', confirm, readback: '', minimum_on_s: confirm === 'B' ? 180 : 0, minimum_off_s: confirm === 'B' ? 300 : 0 });
const CHILLER = {
  state: ['運轉狀態', 'State', '', 2, 0, 0, { kind: 'multistate', states: CH_STATES }], alarm: ['總告警', 'Alarm', '', 0, 0, 0, { kind: 'binary' }], remote: ['遠端', 'Remote', '', 1, 0, 0, { kind: 'binary' }],
  chw_supply_temp: ['冰水出水溫度', 'Chilled water leaving', '°C', 7.1, 0.2, 1, { low: 0, high: 30, limits: { ...noLimits, high: 9, low: 5 } }], chw_return_temp: ['冰水回水溫度', 'Chilled water entering', '°C', 12.2, 0.3, 1],
  cw_entering_temp: ['冷卻水進水溫度', 'Condenser water entering', '°C', 28.4, 0.3, 1], cw_leaving_temp: ['冷卻水出水溫度', 'Condenser water leaving', '°C', 33.1, 0.3, 1],
  chw_flow: ['冰水流量', 'Chilled water flow', 'L/s', 82, 2, 1], cw_flow: ['冷卻水流量', 'Condenser water flow', 'L/s', 98, 2, 1],
  load: ['負載', 'Load', '%', 72, 6, 1, { low: 0, high: 120 }], power: ['電功率', 'Power', 'kW', 250, 20, 1], cop: ['性能係數', 'COP', '', 5.9, 0.2, 2, { virtual: true, low: 0, high: 10, limits: { ...noLimits, low: 4.5 } }],
  enable: ['啟動指令', 'Enable', '', 1, 0, 0, { kind: 'binary', write: write(0, 1, 'B') }], chw_setpoint: ['冰水出水設定', 'Chilled water set-point', '°C', 7, 0, 1, { write: write(5, 15, 'A', 7) }],
  demand_limit: ['需量限制', 'Demand limit', '%', 100, 0, 1, { write: write(40, 100, 'A', 100) }], run_hours: ['運轉時數', 'Run hours', 'h', 12034.5, 0, 1, { kind: 'counter' }],
};
const VFD = {
  run: ['運轉', 'Running', '', 1, 0, 0, { kind: 'binary' }], fault: ['故障', 'Fault', '', 0, 0, 0, { kind: 'binary' }], remote: ['遠端', 'Remote', '', 1, 0, 0, { kind: 'binary' }],
  speed: ['轉速', 'Speed', '%', 78, 4, 1, { low: 0, high: 100 }], frequency: ['頻率', 'Frequency', 'Hz', 46.8, 2, 2], current: ['電流', 'Current', 'A', 42, 3, 1], power: ['電功率', 'Power', 'kW', 21, 2, 1],
  run_cmd: ['啟動指令', 'Run command', '', 1, 0, 0, { kind: 'binary', write: write(0, 1, 'B') }], speed_cmd: ['轉速指令', 'Speed command', '%', 78, 0, 1, { write: write(30, 100) }],
};
const HEADER = {
  chw_supply_temp: ['供水溫度', 'Supply temperature', '°C', 7.1, 0.2, 1, { limits: { ...noLimits, high: 9, low: 5 } }], chw_return_temp: ['回水溫度', 'Return temperature', '°C', 12.3, 0.2, 1],
  chw_delta_t: ['溫差', 'Temperature difference', 'K', 5.2, 0.2, 1, { virtual: true, low: 0, high: 12, limits: { ...noLimits, low: 3.5 } }], differential_pressure: ['管路壓差', 'Differential pressure', 'kPa', 148, 5, 1],
  bypass_valve: ['旁通閥開度', 'Bypass valve', '%', 12, 4, 0], outdoor_temp: ['外氣溫度', 'Outdoor temperature', '°C', 31.2, 0.3, 1], wet_bulb_temp: ['濕球溫度', 'Wet bulb', '°C', 26.4, 0.2, 1],
  basin_level: ['水盤水位', 'Basin level', 'mm', 320, 5, 0], makeup_flow: ['補給水流量', 'Make-up flow', 'L/min', 65, 6, 1], conductivity: ['導電度', 'Conductivity', 'µS/cm', 1240, 10, 0],
  bypass_valve_cmd: ['旁通閥指令', 'Bypass valve command', '%', 12, 0, 0, { write: write(0, 100) }], differential_pressure_setpoint: ['壓差設定', 'Differential pressure set-point', 'kPa', 150, 0, 1, { write: write(50, 250, 'A', 150) }],
};
const AHU = {
  supply_air_temp: ['送風溫度', 'Supply air temperature', '°C', 15.8, 0.3, 1], return_air_temp: ['回風溫度', 'Return air temperature', '°C', 25.2, 0.2, 1], outdoor_air_temp: ['外氣溫度', 'Outdoor air temperature', '°C', 31.2, 0.2, 1],
  supply_air_temp_sp: ['送風溫度設定', 'Supply air set-point', '°C', 16, 0, 1, { write: write(12, 26, 'A', 16) }], supply_static_pressure: ['送風靜壓', 'Supply static pressure', 'Pa', 298, 8, 0],
  return_co2: ['回風二氧化碳', 'Return CO2', 'ppm', 680, 40, 0, { low: 0, high: 5000, limits: { ...noLimits, high: 1000 } }], return_humidity: ['回風濕度', 'Return humidity', '%', 58, 2, 0],
  chw_valve_cmd: ['冰水閥指令', 'Valve command', '%', 43, 0, 0, { write: write(0, 100) }], chw_valve_position: ['冰水閥開度', 'Valve position', '%', 43, 4, 0],
  zone_temp: ['區域溫度', 'Zone temperature', '°C', 24.2, 0.2, 1, { low: 10, high: 40 }], zone_temp_sp: ['區域溫度設定', 'Zone set-point', '°C', 24, 0, 1, { write: write(18, 28, 'A', 24) }],
  zone_deviation: ['區域溫度偏差', 'Zone deviation', 'K', 0.2, 0.2, 1, { virtual: true, low: -10, high: 10, limits: { ...noLimits, high: 2, low: -2 } }],
  filter_dp: ['濾網壓差', 'Filter pressure drop', 'Pa', 118, 5, 0, { low: 0, high: 500, limits: { ...noLimits, high: 250 } }], filter_dirty: ['濾網髒污', 'Filter dirty', '', 0, 0, 0, { kind: 'binary' }],
  freeze_stat: ['防凍開關', 'Freeze stat', '', 0, 0, 0, { kind: 'binary' }], smoke_damper_closed: ['排煙閘門關閉', 'Smoke damper closed', '', 0, 0, 0, { kind: 'binary' }],
  fan_run: ['風機運轉', 'Fan running', '', 1, 0, 0, { kind: 'binary' }], fan_fault: ['風機故障', 'Fan fault', '', 0, 0, 0, { kind: 'binary' }], fan_cmd: ['風機指令', 'Fan command', '', 1, 0, 0, { kind: 'binary', write: write(0, 1, 'B') }],
  fan_speed_cmd: ['風機轉速指令', 'Fan speed command', '%', 70, 0, 0, { write: write(25, 100) }],
  mode: ['模式', 'Mode', '', 1, 0, 0, { kind: 'multistate', states: [['停止', 'Off'], ['自動', 'Auto'], ['手動', 'Manual'], ['火警', 'Fire']].map(([zh, en], value) => ({ value, name: name(zh, en) })), write: write(0, 2, 'C') }],
};
const ENV = {
  temperature: ['溫度', 'Temperature', '°C', 24.6, 0.4, 1], humidity: ['濕度', 'Humidity', '%', 56, 2, 0], co2: ['二氧化碳', 'CO2', 'ppm', 640, 60, 0, { low: 0, high: 5000, limits: { ...noLimits, high: 1000 } }],
  pm25: ['PM2.5', 'PM2.5', 'µg/m³', 14, 3, 0, { limits: { ...noLimits, high: 35 } }], pm10: ['PM10', 'PM10', 'µg/m³', 28, 5, 0, { limits: { ...noLimits, high: 75 } }], tvoc: ['TVOC', 'TVOC', '', 0.9, 0.1, 2],
  hcho: ['甲醛', 'Formaldehyde', 'mg/m³', 0.03, 0.01, 2, { limits: { ...noLimits, high: 0.1 } }], pressure: ['氣壓', 'Pressure', 'hPa', 1008.6, 0.2, 1], light_level: ['照度等級', 'Light level', '', 3, 0, 0], occupied: ['有人', 'Occupied', '', 1, 0, 0, { kind: 'binary' }], battery: ['電池', 'Battery', '%', 92, 0, 0],
};

/** Deterministic noise, so that two looks at the same second agree. */
const noise = (seed) => {
  let x = (seed * 2654435761) >>> 0;
  x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
  return ((x >>> 0) / 4294967296) * 2 - 1;
};

export class World {
  constructor() {
    this.generation = 1;
    this.equipment = [];
    this.points = [];
    this.devices = [];
    this.byAddress = new Map();
    this.slots = new Map();
    this.commands = [];
    this.alarms = new Map();
    this.journal = [];
    this.overlay = new Map(); // address -> {value?, quality?, age?}
    this.#build();
    this.#faults();
  }

  #add(address, cls, zh, en, floor, area, tags, device, parameters = {}, extra = {}) {
    const [building, system] = address.split('.');
    this.equipment.push({ address, cls, name: name(zh, en), building, system, floor, area, wing: extra.wing ?? '', maker: extra.maker ?? '', model: extra.model ?? '', serial: '', parameters });
    for (const [tag, [pzh, pen, unit, base, swing, decimals, more = {}]] of Object.entries(tags)) {
      const { virtual, ...rest } = more;
      const point = {
        number: this.points.length, address: `${address}.${tag}`, kind: 'analog', unit, name: name(pzh, pen), equipment: address, device: virtual ? '' : device, tag: virtual ? '' : tag,
        low: null, high: null, decimals, deadband: 0.1, stale_s: 30, states: [], limits: noLimits, write: null, area, system, floor, haystack: 'point sensor', brick: 'Point', ...rest,
      };
      point.base = base;
      point.swing = swing;
      this.points.push(point);
      this.byAddress.set(point.address, point);
    }
    this.devices.push({
      id: device, profile: extra.profile ?? 'site-standard', protocol: extra.protocol ?? 'modbus', endpoint: extra.endpoint ?? 'tcp://10.20.1.2:502', unit: 1, equipment: address, points: Object.keys(tags).length,
      state: 'good', last_good: null, since: '2026-11-23T00:00:00Z', polls: 40123, errors: 12, timeouts: 9, refused: 0, latency_p95_ms: 8 + (this.devices.length % 30), message: '', keepalives: 0, writes: 0,
    });
  }

  #build() {
    this.#add('cityhall.electrical.main', 'meter', '高壓總表', 'High-voltage main meter', 'B1', 'substation', { ...METER, power: ['有效功率', 'Active power', 'kW', 4120, 60, 0, { low: 0, high: 6000, limits: { high_high: 5000, high: 4750, low: null, low_low: null } }], demand: ['需量', 'Demand', 'kW', 4080, 30, 0, { low: 0, high: 6000, limits: { high_high: 5000, high: 4750, low: null, low_low: null } }], voltage_l12: ['L1-L2 線電壓', 'Voltage L1-L2', 'V', 22810, 60, 0] }, 'main-meter', { contract_kw: 5000, rated_kv: 22.8 }, { maker: 'Janitza', model: 'UMG 801', profile: 'janitza-umg801' });
    const loads = [62, 58, 91, 47, 0];
    const temps = [88, 84, 128, 76, 31];
    for (let n = 1; n <= 5; n += 1) {
      const tags = structuredClone({ ...METER, ...TX });
      tags.load_factor[3] = loads[n - 1];
      for (const tag of ['winding_temp_a', 'winding_temp_b', 'winding_temp_c', 'winding_temp_max']) tags[tag][3] = temps[n - 1] - (tag.endsWith('b') ? 2 : 0);
      tags.power[3] = loads[n - 1] * 19;
      tags.apparent_power[3] = loads[n - 1] * 20;
      if (n === 5) {
        tags.breaker_closed[3] = 0;
        tags.voltage_l1n[3] = 0;
        tags.voltage_l1n[4] = 0;
        tags.load_factor[4] = 0;
        tags.power[4] = 0;
      }
      this.#add(`cityhall.electrical.tx${n}`, 'transformer', `高壓變壓器 TX-${n}`, `Transformer TX-${n}`, 'B1', 'substation', tags, `tx${n}-meter`, { rated_kva: 2000, primary_kv: 22.8, secondary_v: 380, fed_by: 'cityhall.electrical.main', feeds: `cityhall.electrical.lv${n}` }, { profile: 'schneider-pm5560', endpoint: `tcp://10.20.1.${20 + n}:502` });
    }
    for (let n = 1; n <= 5; n += 1) {
      const tags = structuredClone(METER);
      tags.power[3] = loads[n - 1] * 18.8;
      if (n === 5) for (const tag of Object.keys(tags)) if (tag !== 'energy_import') { tags[tag][3] = 0; tags[tag][4] = 0; }
      this.#add(`cityhall.electrical.lv${n}`, 'meter', `低壓總盤 LV${n}`, `Low-voltage main LV${n}`, 'B1', 'substation', tags, `lv${n}-meter`, { rated_a: 3200, fed_by: `cityhall.electrical.tx${n}` }, { maker: 'Siemens', model: 'SENTRON PAC3200' });
    }
    const what = { 1: ['冰水主機 CH-1', 'chiller CH-1'], 9: ['冰水主機 CH-2', 'chiller CH-2'], 17: ['冰水主機 CH-3', 'chiller CH-3'], 25: ['冰水主機 CH-4', 'chiller CH-4'], 33: ['冰水泵與水塔', 'pumps and towers'] };
    for (let n = 1; n <= 40; n += 1) {
      const tags = structuredClone(METER);
      const bus = Math.floor((n - 1) / 8) + 1;
      tags.power[3] = bus === 5 ? 0 : 40 + ((n * 37) % 160);
      tags.current_l1[3] = tags.power[3] * 1.7;
      tags.current_l1[6] = { low: 0, high: 800, limits: { ...noLimits, high: what[n] ? 900 : 560 } };
      if (bus === 5) for (const tag of Object.keys(tags)) if (tag !== 'energy_import') { tags[tag][3] = 0; tags[tag][4] = 0; }
      const id = String(n).padStart(2, '0');
      this.#add(`cityhall.electrical.feeder${id}`, 'meter', `饋線 F${id}${what[n] ? ` ${what[n][0]}` : ''}`, `Feeder F${id}${what[n] ? ` ${what[n][1]}` : ''}`, 'B1', 'substation', tags, `feeder${id}-meter`, { rated_a: what[n] ? 1000 : 630, fed_by: `cityhall.electrical.lv${bus}` }, { profile: n <= 24 ? 'delta-dpm-c530a' : 'schneider-pm5320', endpoint: n <= 12 ? 'rtu+tcp://10.20.1.50:4001' : n <= 24 ? 'rtu+tcp://10.20.1.51:4001' : `tcp://10.20.1.${60 + n - 24}:502` });
    }
    const on = [1, 1, 0, 0];
    for (let n = 1; n <= 4; n += 1) {
      const tags = structuredClone(CHILLER);
      if (!on[n - 1]) {
        for (const tag of ['load', 'power', 'chw_flow', 'cw_flow', 'cop', 'enable']) { tags[tag][3] = 0; tags[tag][4] = 0; }
        tags.state[3] = n === 4 ? 6 : 0;
        if (n === 4) tags.alarm[3] = 1;
      }
      this.#add(`cityhall.plant.ch${n}`, 'chiller', `冰水主機 CH-${n}`, `Chiller CH-${n}`, 'B2', 'plant', tags, `ch${n}-unit`, { rated_kw: 1758, rated_rt: 500, fed_by: `cityhall.electrical.feeder${String((n - 1) * 8 + 1).padStart(2, '0')}` }, n === 4 ? { maker: 'Carrier', model: 'AquaEdge 23XRV', profile: 'carrier-23xrv' } : { profile: 'site-standard-chiller' });
    }
    const vfd = (address, cls, zh, en, floor, running, kw, loop) => {
      const tags = structuredClone(VFD);
      if (!running) for (const tag of ['run', 'speed', 'frequency', 'current', 'power', 'run_cmd']) { tags[tag][3] = 0; tags[tag][4] = 0; }
      this.#add(address, cls, zh, en, floor, 'plant', tags, `${address.split('.')[2]}-drive`, { rated_kw: kw, ...(loop ? { loop } : {}) }, { maker: loop === 'chilled' ? 'ABB' : loop ? 'Delta' : 'Danfoss', model: loop === 'chilled' ? 'ACH580' : loop ? 'CP2000' : 'VLT FC 102', endpoint: 'rtu+tcp://10.20.2.20:4001' });
    };
    for (let n = 1; n <= 8; n += 1) vfd(`cityhall.plant.chwp${n}`, 'pump', `冰水泵 CHWP-${n}`, `Chilled-water pump CHWP-${n}`, 'B2', [1, 3, 4].includes(n), 37, 'chilled');
    for (let n = 1; n <= 8; n += 1) vfd(`cityhall.plant.cwp${n}`, 'pump', `冷卻水泵 CWP-${n}`, `Condenser-water pump CWP-${n}`, 'B2', [1, 3].includes(n), 45, 'condenser');
    for (let n = 1; n <= 4; n += 1) vfd(`cityhall.plant.ct${n}`, 'cooling_tower', `冷卻水塔 CT-${n}`, `Cooling tower CT-${n}`, 'RF', n <= 2, 30);
    this.#add('cityhall.plant.header', 'plant_header', '冰水集水管', 'Chilled-water header', 'B2', 'plant', HEADER, 'header-io', {}, { profile: 'site-standard-plant-header' });
    for (let n = 1; n <= 12; n += 1) {
      const tags = structuredClone(AHU);
      const off = { 3: 2.6, 5: 3.4, 9: -2.3 }[n] ?? ((n * 7) % 5) / 10;
      tags.zone_deviation[3] = off;
      tags.zone_temp[3] = 24 + off;
      if (n === 3) tags.chw_valve_position[3] = 100;
      if (n === 3) tags.chw_valve_position[4] = 0;
      if (n === 5) { tags.fan_run[3] = 0; tags.return_co2[3] = 1180; }
      if (n === 7) { tags.filter_dp[3] = 268; tags.filter_dirty[3] = 1; }
      const id = String(n).padStart(2, '0');
      this.#add(`cityhall.hvac.ahu_${id}f_w`, 'ahu', `${n} 樓西區空調箱`, `Air handler ${n}F west`, `${n}F`, 'west', tags, `ahu-${id}f-w`, { rated_m3s: 9 }, { wing: 'west', protocol: 'opcua', endpoint: 'opc.tcp://10.20.4.10:4840', profile: 'site-standard-ahu' });
    }
    const wings = [['west', '西', 'west'], ['south', '南', 'south'], ['east', '東', 'east'], ['north', '北', 'north']];
    for (let k = 1; k <= 100; k += 1) {
      const [wing, zh, en] = wings[(k - 1) % 4];
      const n = Math.floor((k - 1) / 4);
      const floor = (n % 12) + 1;
      const tags = structuredClone(ENV);
      tags.co2[3] = 480 + ((k * 53) % 360) + (k === 18 ? 500 : 0) + (k === 71 ? 260 : 0);
      tags.pm25[3] = 8 + ((k * 29) % 22) + (k === 33 ? 20 : 0);
      tags.pm10[3] = tags.pm25[3] * 1.9;
      this.#add(`cityhall.environment.env${String(k).padStart(3, '0')}`, 'environment', `${floor} 樓${zh}區環境感測器 ${Math.floor(n / 12) + 1}`, `Room sensor ${floor}F ${en} ${Math.floor(n / 12) + 1}`, `${floor}F`, wing, tags, `env${String(k).padStart(3, '0')}-sensor`, {}, { wing, protocol: 'mqtt', endpoint: 'mqtt://10.20.5.2:1883', profile: 'milesight-am319' });
    }
    for (let k = 1; k <= 150; k += 1) {
      const tags = { power: ['有效功率', 'Active power', 'kW', 5 + ((k * 13) % 40), 2, 1], energy_import: ['累計用電', 'Energy import', 'kWh', 45678.9 + k * 17, 0, 1, { kind: 'counter' }], current_l1: ['L1 電流', 'Current L1', 'A', 20 + (k % 30), 3, 1] };
      this.#add(`cityhall.meter.em${String(k).padStart(3, '0')}`, 'meter', `分電表 EM${String(k).padStart(3, '0')}`, `Sub-meter EM${String(k).padStart(3, '0')}`, `${((k - 1) % 12) + 1}F`, 'public', tags, `em${String(k).padStart(3, '0')}-meter`, { rated_a: 250, fed_by: `cityhall.electrical.feeder${String(((k - 1) % 40) + 1).padStart(2, '0')}` }, { endpoint: `tcp://10.20.3.${10 + Math.floor((k - 1) / 19) + 1}:502` });
    }
  }

  #faults() {
    const device = (id, state, message) => {
      const found = this.devices.find((d) => d.id === id);
      Object.assign(found, { state, message, last_good: new Date(Date.now() - 190_000).toISOString(), since: new Date(Date.now() - 180_000).toISOString(), timeouts: 412, errors: 512 });
      for (const p of this.points) if (p.device === id) this.overlay.set(p.address, state === 'lost' ? { quality: 64, age: 190 } : { quality: 131, value: null });
    };
    device('feeder07-meter', 'lost', 'rtu+tcp://10.20.1.50:4001 unit 7: no answer for 3.0 s; trying again in 8 s');
    device('em042-meter', 'refused', 'unit 4: exception 2 (illegal data address) at 52');
    device('env044-sensor', 'lost', 'no report for 30 min');
    this.overlay.set('cityhall.plant.ch3.chw_flow', { quality: 130, value: null });
    this.overlay.set('cityhall.electrical.tx4.core_temp', { quality: 132, value: null });
    this.overlay.set('cityhall.plant.header.outdoor_temp', { quality: 65, value: 61.2 });
    this.overlay.set('cityhall.plant.header.wet_bulb_temp', { quality: 66, value: 26.4 });
    this.overlay.set('cityhall.plant.chwp1.speed_cmd', { quality: 1 });
    const ago = (min) => new Date(Date.now() - min * 60_000).toISOString();
    const raise = (point, kind, priority, state, zh, en, value, limit, minutes, extra = {}) => {
      const p = this.byAddress.get(point);
      const id = `${point}#${kind}`;
      this.alarms.set(id, {
        id, occurrence: `${id}@${minutes}`, state, priority, life_safety: false, kind, point, device: p.device, equipment: p.equipment, system: p.system, area: p.area, floor: p.floor,
        text: name(zh, en), consequence: name(extra.czh ?? '設備可能停機', extra.cen ?? 'The equipment may stop'), action: name(extra.azh ?? '1. 檢查現場。2. 通知維護廠商。', extra.aen ?? '1. Look on site. 2. Call the contractor.'),
        respond_by: extra.respond ?? null, value, limit, unit: p.unit, raised_at: ago(minutes), returned_at: state === 'returned' ? ago(2) : null, acknowledged_at: state === 'acknowledged' ? ago(minutes - 2) : null, acknowledged_by: state === 'acknowledged' ? '值班1' : null, comment: null, count: extra.count ?? 1, bad_input: false,
      });
    };
    raise('cityhall.electrical.tx3.winding_temp_a', 'high', 1, 'unacknowledged', '繞組溫度過高', 'Winding temperature high', 128.2, 120, 2, { czh: '30 分內可能跳脫，LV3 停電', cen: 'May trip within 30 min; LV3 would go dead', azh: '1. 檢查變壓器室通風與風扇。2. 將 F17 冰水主機移至其他匯流排。3. 每 5 分鐘記錄溫度。', aen: '1. Check ventilation and fans of the room. 2. Move chiller CH-3 to another bus. 3. Log the temperature each 5 min.', respond: new Date(Date.now() + 28 * 60_000).toISOString() });
    raise('cityhall.hvac.ahu_05f_w.fan_run', 'state', 2, 'acknowledged', '有啟動指令而風機未運轉', 'Fan does not run although commanded', 0, 1, 7, { czh: '5 樓西區無送風，二氧化碳上升', cen: 'No supply air on 5F west; CO2 rises', count: 3 });
    raise('cityhall.environment.env018.co2', 'high', 3, 'returned', '二氧化碳偏高', 'Carbon dioxide high', 940, 1000, 25);
    raise('cityhall.electrical.tx3.load_factor', 'high', 2, 'unacknowledged', '負載率過高', 'Load factor high', 91, 85, 12, { czh: '變壓器壽命縮短', cen: 'The transformer ages faster' });
    raise('cityhall.plant.ch4.alarm', 'state', 2, 'unacknowledged', '冰水主機跳脫', 'Chiller tripped', 1, null, 65, { czh: '備用容量減少 400 RT', cen: '400 RT less in reserve' });
    raise('cityhall.hvac.ahu_07f_w.filter_dp', 'high', 4, 'unacknowledged', '濾網壓差過高', 'Filter pressure drop high', 268, 250, 320, { czh: '風量不足、耗電增加', cen: 'Less air, more power' });
    raise('cityhall.electrical.feeder07.power', 'communication', 3, 'unacknowledged', '電表通訊中斷', 'Meter communication lost', null, null, 3, { czh: '饋線 F07 無讀值', cen: 'No readings of feeder F07' });
    for (const a of this.alarms.values()) this.#log(a, 'raised', null, a.raised_at);
    for (const a of this.alarms.values()) if (a.acknowledged_at) this.#log(a, 'acknowledged', a.acknowledged_by, a.acknowledged_at);
    this.#slot('cityhall.plant.chwp1.speed_cmd', 8, 78, '值班1', '濾網更換測試', ago(40), new Date(Date.now() + 3 * 3600_000).toISOString());
    this.#slot('cityhall.plant.chwp1.speed_cmd', 15, 65, '排程', '辦公日', ago(300), null);
  }

  #log(alarm, transition, user, at) {
    this.journal.unshift({ id: this.journal.length + 1, alarm: alarm.id, occurrence: alarm.occurrence, time: at, event: transition, from_state: 'normal', to_state: alarm.state, user: user ?? '', comment: '', value: alarm.value, limit: alarm.limit });
  }

  #slot(address, slot, value, owner, reason, since, until) {
    const array = this.slots.get(address) ?? Array(16).fill(null);
    array[slot - 1] = { slot, value, owner, reason, since, until, lease_s: null };
    this.slots.set(address, array);
  }

  value(p, ms) {
    const over = this.overlay.get(p.address);
    const commanded = (this.slots.get(p.address) ?? []).find(Boolean);
    const steady = commanded ? commanded.value : p.base;
    const second = Math.floor(ms / 1000 / (p.system === 'environment' ? 20 : 2));
    const daily = p.swing > 0 ? Math.sin((ms / 86_400_000) * 2 * Math.PI - 2) * p.swing : 0;
    let value = p.kind === 'counter' ? p.base + (ms - 1_790_000_000_000) / 3_600_000 : steady + daily + noise(p.number * 7919 + second) * p.swing * 0.3;
    if (p.kind === 'binary' || p.kind === 'multistate') value = steady;
    if (over && 'value' in over) value = over.value ?? Number.NaN;
    return { value, quality: over?.quality ?? (commanded?.slot === 8 ? 1 : 0), age: over?.age ?? (p.system === 'environment' ? (p.number * 37) % 600 : 0.4) };
  }

  topic(topic) {
    const [kind, id] = topic.split(/:(.*)/s);
    if (kind === 'system') return this.points.filter((p) => p.system === id);
    if (kind === 'equipment') return this.points.filter((p) => p.equipment === id);
    if (kind === 'point') return this.points.filter((p) => p.address === id);
    if (kind === 'overview') return this.points.filter((p) => ['power', 'demand', 'load_factor'].some((t) => p.address.endsWith(`.${t}`)));
    return null;
  }

  point(p) {
    const { base, swing, ...rest } = p;
    return rest;
  }

  acknowledge(ids, user, comment) {
    const changed = [];
    for (const id of ids) {
      const a = this.alarms.get(id);
      if (!a) continue;
      const next = a.state === 'returned' ? 'normal' : 'acknowledged';
      const now = new Date().toISOString();
      const item = { ...a, state: next, acknowledged_at: now, acknowledged_by: user, comment: comment || a.comment };
      if (next === 'normal') this.alarms.delete(id);
      else this.alarms.set(id, item);
      this.#log(item, 'acknowledged', user, now);
      changed.push(item);
    }
    return changed;
  }

  comment(id, user, comment) {
    const a = this.alarms.get(id);
    if (!a) return null;
    const item = { ...a, comment };
    this.alarms.set(id, item);
    this.journal.unshift({ id: this.journal.length + 1, alarm: id, occurrence: a.occurrence, time: new Date().toISOString(), event: 'commented', from_state: a.state, to_state: a.state, user, comment, value: a.value, limit: a.limit });
    return item;
  }

  command({ point, value, slot = 8, reason, expires_s }, owner) {
    const p = this.byAddress.get(point);
    const before = (this.slots.get(point) ?? []).find(Boolean);
    const now = new Date();
    const until = expires_s ? new Date(now.getTime() + expires_s * 1000).toISOString() : null;
    const command = { id: `c${this.commands.length + 1}`, point, slot, value, previous: before?.value ?? p.base, owner, reason, state: 'pending', message: '', requested_at: now.toISOString(), finished_at: null, until, readback: null };
    const array = this.slots.get(point) ?? Array(16).fill(null);
    array[slot - 1] = value === null ? null : { slot, value, owner, reason, since: now.toISOString(), until, lease_s: null };
    this.slots.set(point, array);
    this.commands.unshift(command);
    return command;
  }
}
