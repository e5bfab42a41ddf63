// Development only: serves the built pages and plays a made-up works over the
// same interface as the product (../API.md), to look at pages without one.
//   node dev/fixture.mjs [port]
//   curl -X POST 'http://127.0.0.1:PORT/fixture?fault=1'   (fault=0, plc=down,
//   plc=live, sensor=1, learning=1, hang=1, many=1, lost=1)

import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import {
  assets,
  bandsOf,
  isDown,
  modeAt,
  modelOf,
  nextChange,
  qualityAt,
  STALE,
  scoreAt,
  severityOfFault,
  state,
  valueAt,
} from "./works.mjs";
import { accept } from "./ws.mjs";

const dist = join(fileURLToPath(new URL(".", import.meta.url)), "..", "dist");
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".txt": "text/plain",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const iso = (t) => new Date(t).toISOString();
const names = { 0: "Good", [STALE]: "UncertainNoCommunicationLastUsableValue", [0x808c0000]: "BadSensorFailure" };
const find = (path) => {
  for (const a of assets) {
    const g = a.tags.find((x) => `${a.path}/${x.name}` === path);
    if (g) return { a, read: (t) => valueAt(a, g, t), q: (t) => qualityAt(a, g, t), unit: g.unit, every: 100 };
    if (path === `${a.path}/$SCORE`) return { a, read: (t) => scoreAt(a, t), q: () => 0, unit: "", every: 1000 };
    if (path === `${a.path}/$HEALTH`)
      return {
        a,
        read: (t) => 1 - 0.72 * (a.path.endsWith("GBX") ? severityOfFault(t) : 0) - 0.02,
        q: () => 0,
        unit: "",
        every: 1000,
      };
    if (path === `${a.path}/$MODE` || path === `${a.path}/$MODEL`)
      return { a, text: (t) => (path.endsWith("$MODE") ? modeAt(a.path, t) : JSON.stringify(modelOf(a, t))), unit: "", q: () => 0 };
  }
  return null;
};

// Alarms
let seq = 40;
const alarms = new Map();
const causes = [
  {
    mode: "bearing",
    name: "Rolling bearing damage",
    score: 0.8,
    present: ["VIB_ENV high", "VIB_KURT high", "BRG_T_PDE high"],
    absent: ["VIB_HF high"],
  },
  {
    mode: "lubrication",
    name: "Loss of lubrication",
    score: 0.4,
    present: ["BRG_T_PDE high"],
    absent: ["OIL_P low", "OIL_F low", "VIB_HF high"],
  },
];
const listeners = new Set();
const journal = [];

function put(a) {
  a.seq = ++seq;
  alarms.set(a.id, a);
  journal.push(structuredClone(a));
  for (const f of listeners) f(a);
}

const none = {
  detector: "limit",
  score: 1,
  limit: null,
  contributions: [],
  key: "",
  kind: "",
  phase: "raise",
  tag: null,
  mode: null,
  time: "",
  value: null,
  unit: null,
  extrapolated: false,
};

function alarm(id, asset, cls, priority, title, ago, finding, more = {}) {
  const t = iso(Date.now() - ago);
  put({
    id,
    asset,
    class: cls,
    state: "unacked",
    priority,
    title,
    raised: t,
    returned: null,
    acked: null,
    acked_by: null,
    count: 1,
    edge: "mill-edge-1",
    note: null,
    finding: { ...none, time: t, ...finding },
    ...more,
  });
}

function seedAlarms() {
  const day = 86_400_000;
  alarm(
    3,
    "HSM/DESC/P2",
    "alarm",
    2,
    "High: HSM/DESC/P2/BRG_T",
    day * 1.2,
    {
      detector: "limit",
      key: "limit/x",
      kind: "limit.high",
      tag: "HSM/DESC/P2/BRG_T",
      value: 82.4,
      limit: 80,
      unit: "°C",
      mode: "spraying",
      phase: "clear",
    },
    {
      state: "cleared",
      returned: iso(Date.now() - day * 1.1),
      acked: iso(Date.now() - day * 1.05),
      acked_by: "k.ahmed",
      note: "Cooling water valve was half shut; opened.",
    },
  );
  alarm(
    5,
    "BOF/GAS/FAN1",
    "sensor",
    4,
    "Sensor spikes: BOF/GAS/FAN1/T_GAS",
    day * 0.4,
    {
      detector: "spike",
      key: "sensor/x",
      kind: "sensor.spike",
      tag: "BOF/GAS/FAN1/T_GAS",
      value: 188,
      limit: 20,
      unit: "°C",
      phase: "clear",
    },
    { state: "cleared", returned: iso(Date.now() - day * 0.39), acked: iso(Date.now() - day * 0.38), acked_by: "demo", count: 4 },
  );
}

function gearbox() {
  const P = "HSM/FM/F3/GBX";
  alarm(17, P, "advisory", 2, `Unusual behaviour: ${P}/VIB_H`, 95_000, {
    detector: "wpca",
    key: "wpca",
    kind: "machine.anomaly",
    score: 5.2,
    limit: 3.0,
    mode: "rolling",
    contributions: [
      { tag: `${P}/VIB_H`, share: 0.58, value: 4.83, expected: 2.11, direction: "high", unit: "mm/s" },
      { tag: `${P}/BRG_DE_T`, share: 0.22, value: 66.9, expected: 58.0, direction: "high", unit: "°C" },
      { tag: `${P}/VIB_V`, share: 0.13, value: 2.61, expected: 1.69, direction: "noisy", unit: "mm/s" },
      { tag: `${P}/OIL_T`, share: 0.05, value: 54.0, expected: 52.1, direction: "high", unit: "°C" },
      { tag: `${P}/I_ARM`, share: 0.02, value: 3361, expected: 3348, direction: "low", unit: "A" },
    ],
  });
  alarm(18, P, "alarm", 3, `High: ${P}/VIB_H`, 41_000, {
    detector: "limit",
    key: "limit/v",
    kind: "limit.high",
    tag: `${P}/VIB_H`,
    value: 4.61,
    limit: 4.5,
    unit: "mm/s",
    mode: "rolling",
    score: 1,
  });
}

function sensorFault() {
  alarm(21, "HSM/DESC/P2", "sensor", 4, "Sensor does not move: HSM/DESC/P2/P_DIS", 30_000, {
    detector: "flat",
    key: "sensor/y",
    kind: "sensor.flat",
    tag: "HSM/DESC/P2/P_DIS",
    value: 176.4,
    limit: 60,
    unit: "bar",
  });
}

function plcAlarm(down) {
  if (down)
    alarm(25, "HSM/FM/F3/GBX", "system", 1, "PLC connection lost", 0, { detector: "link", key: "plc/mill", kind: "system.plc" });
  else if (alarms.has(25))
    put({ ...alarms.get(25), state: alarms.get(25).state === "acked" ? "cleared" : "rtn_unacked", returned: iso(Date.now()) });
}

function manyAlarms() {
  const kinds = ["limit.high", "limit.low", "sensor.stuck", "limit.rate", "sensor.bad"];
  for (let i = 0; i < 60; i++) {
    const a = assets[i % 3];
    const g = a.tags[i % a.tags.length];
    const kind = kinds[i % 5];
    alarm(100 + i, a.path, kind.startsWith("sensor") ? "sensor" : "alarm", (i % 4) + 1, `${kind}: ${g.name}`, i * 97_000, {
      detector: kind.split(".")[0] === "sensor" ? "stuck" : "limit",
      key: `k${i}`,
      kind,
      tag: `${a.path}/${g.name}`,
      value: g.run * 1.2,
      limit: g.run,
      unit: g.unit,
    });
  }
}

const isOpen = (a) => a.state !== "cleared";
const active = (a) => a.state === "unacked" || a.state === "acked";

function assetRows() {
  const now = Date.now();
  const down = state.plc !== "Live";
  const order = ["stale", "alarm", "warning", "sensor", "learning", "normal"];
  const rows = assets.map((a) => {
    const open = [...alarms.values()]
      .filter((x) => x.asset === a.path && isOpen(x))
      .sort((x, y) => active(y) - active(x) || x.priority - y.priority);
    const has = (c) => open.some((x) => active(x) && c.includes(x.class));
    const model = modelOf(a, now);
    delete model.bands;
    const s = down
      ? "stale"
      : has(["alarm"])
        ? "alarm"
        : has(["advisory", "system"])
          ? "warning"
          : has(["sensor"])
            ? "sensor"
            : model.phase === "learning"
              ? "learning"
              : "normal";
    const w = open[0];
    return {
      path: a.path,
      name: a.name,
      class: a.class,
      criticality: a.criticality,
      health: find(`${a.path}/$HEALTH`).read(now),
      score: scoreAt(a, now),
      state: s,
      mode: modeAt(a.path, now),
      alarms: open.length,
      unacked: open.filter((x) => x.state !== "acked").length,
      age_ms: down ? now - state.plcSince : 120,
      tags: a.tags.length,
      stale_tags: down ? a.tags.length : 0,
      model,
      worst: w
        ? {
            id: w.id,
            class: w.class,
            state: w.state,
            priority: w.priority,
            title: w.title,
            kind: w.finding.kind,
            tag: w.finding.tag ?? w.finding.contributions[0]?.tag ?? null,
            raised: w.raised,
          }
        : null,
    };
  });
  return rows.sort((x, y) => order.indexOf(x.state) - order.indexOf(y.state));
}

/** machine is what an asset file may say, with holes in it. */
function machine(path) {
  const origin = { source: "drawing", author: "A. Khan", date: "2026-03-31" };
  const silent = { source: "", author: "", date: "" };
  return {
    path,
    number: "20-G-0301",
    nameplate: {
      maker: "Flender",
      model: "",
      serial: "8871",
      power_kw: 7000,
      speed_min: 60,
      speed_max: 110,
      support: "rigid",
      group: 1,
      redundancy: "1x100",
      lubricant: "ISO VG 320, circulating",
      origin,
    },
    bearings: [
      { position: "DE", designation: "22320 E", rollers: 16, orders: { bpfo: 6.729, bpfi: 9.271, bsf: 2.999, ftf: 0.421 }, origin },
      { position: "NDE", designation: "", rollers: null, orders: null, origin: { ...silent, source: "unknown" } },
    ],
    gears: [{ stage: "1", pinion: 23, wheel: 71, origin }],
    limits: [
      {
        tag: `${path}/VIB_H`,
        kind: "high",
        value: 4.5,
        unit: "mm/s",
        priority: 2,
        modes: ["rolling"],
        basis: "ISO 20816-3",
        origin: silent,
      },
    ],
    sensors: [{ tag: `${path}/VIB_H`, mounting: "stud", direction: "H", calibrated: "2026-03-31" }],
    spares: [{ part: "pinion shaft", number: "M-104711", stock: 0, lead_days: 200, place: "" }],
    drawings: [{ title: "section", number: "FM-3-0815", link: "http://drawings.plant/FM-3-0815.pdf" }],
  };
}

function tagRows(asset) {
  const now = Date.now();
  const out = [];
  for (const a of assets) {
    if (asset && a.path !== asset) continue;
    const down = state.plc !== "Live";
    const last = (x) => ({ t: iso(down ? state.plcSince : now - 80), q: down ? names[STALE] : (names[x.q(now)] ?? "Bad") });
    for (const n of ["$HEALTH", "$MODE", "$MODEL", "$SCORE"]) {
      const x = find(`${a.path}/${n}`);
      out.push({
        path: `${a.path}/${n}`,
        asset: a.path,
        unit: "",
        low: null,
        high: null,
        description: "",
        kind: x.text ? "text" : "analog",
        derived: true,
        resolution: null,
        last: x.text ? { ...last(x), v: null, text: x.text(now) } : { ...last(x), v: x.read(now) },
      });
    }
    for (const g of a.tags) {
      const path = `${a.path}/${g.name}`;
      const x = find(path);
      out.push({
        path,
        asset: a.path,
        unit: g.unit,
        low: g.low,
        high: g.high,
        description: g.description,
        kind: g.kind,
        derived: false,
        resolution: g.noise > 10 ? 1 : g.noise > 0.3 ? 0.1 : 0.01,
        last: { ...last(x), v: x.read(now) },
      });
    }
  }
  return out.sort((x, y) => (x.path < y.path ? -1 : 1));
}

function trend(x, from, to, n) {
  const now = Date.now();
  const w = (to - from) / n;
  const out = [];
  for (let i = 0; i < n; i++) {
    const t0 = from + i * w;
    const k = Math.max(1, Math.min(24, Math.floor(w / x.every)));
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    let sum = 0;
    let good = 0;
    let all = 0;
    for (let j = 0; j < k; j++) {
      const t = t0 + (j * w) / k;
      if (t > now || isDown(t) || t < now - 3 * 86_400_000) continue;
      all++;
      if (x.q(t) !== 0) continue;
      const v = x.read(t);
      min = Math.min(min, v);
      max = Math.max(max, v);
      sum += v;
      good++;
    }
    out.push({
      t: iso(t0),
      min: good ? min : null,
      max: good ? max : null,
      mean: good ? sum / good : null,
      count: all,
      good: all ? good / all : 0,
    });
  }
  return out;
}

function states(a, path, from, to, limit) {
  const end = Math.min(to, Date.now());
  const x = find(path);
  const out = [];
  let t = from;
  const before = { t: iso(from - 1000), v: x.text(from - 1), q: "Good" };
  while (out.length <= limit) {
    t = nextChange(a.path, t);
    if (t >= end) break;
    out.push({
      t: iso(t),
      v: path.endsWith("$MODE")
        ? modeAt(a.path, t + 1)
        : JSON.stringify({ ...modelOf(a, t + 1), mode: modeAt(a.path, t + 1), bands: bandsOf(a, modeAt(a.path, t + 1)) }),
      q: "Good",
    });
  }
  return { tag: path, before, states: out.slice(0, limit), next: out.length > limit ? "more" : null };
}

const quiet = {
  link: {
    connects: 1,
    last_error: null,
    last_error_at: null,
    rtt_ms: 0.8,
    publishing_ms: 100,
    keep_alive_ms: 2_000,
    no_pulse: null,
    in_flight: 3,
    window: 3,
    sequence_gaps: 0,
    republished: 0,
    holes: 0,
    backfilled: 0,
  },
  stale: 0,
  stale_tags: [],
  quarantine: [],
  quarantined: 0,
  revised: [],
  revised_count: 0,
  overflowing: [],
  deadbands: { server: 0, edge: 0, none: 0, thinned: 0 },
  conditions: 0,
  servers: [],
  certificates: [],
  clock: null,
  exception: null,
  exception_over: false,
};

/** A connection with something of everything that can be the matter. */
function troubled(now) {
  const tower = "UTIL/TWR/CWP2";
  return {
    link: {
      connects: 4,
      last_error: "no answer for 4s",
      last_error_at: iso(now - 86_000_000),
      rtt_ms: 41.7,
      publishing_ms: 100,
      keep_alive_ms: 2_000,
      no_pulse: null,
      in_flight: 4,
      window: 4,
      sequence_gaps: 1,
      republished: 3,
      holes: 2,
      backfilled: 7_204,
    },
    stale: 1,
    stale_tags: [`${tower}/FLOW`],
    quarantine: [
      {
        tag: `${tower}/P_OUT`,
        since: iso(now - 9_300_000),
        was: "Double, bar, 0 to 16",
        is: "Double, psi, 0 to 232",
        what: ["unit", "range"],
      },
      {
        tag: `${tower}/BRG_T`,
        since: iso(now - 9_300_000),
        was: "Float, °C, 0 to 120",
        is: "Int16",
        what: ["type", "unit", "range"],
      },
    ],
    quarantined: 5,
    revised: [{ tag: `${tower}/VIB`, sampling_ms: 100, granted_sampling_ms: 250, queue: 101, granted_queue: 10, deadband: "edge" }],
    revised_count: 1,
    overflowing: [{ tag: `${tower}/VIB`, count: 2 }],
    deadbands: { server: 3, edge: 1, none: 0, thinned: 5_310 },
    conditions: 2,
    servers: [
      { url: "opc.tcp://10.20.4.17:4840", service_level: 255, state: "active", reason: null, active: true },
      { url: "opc.tcp://10.20.4.18:4840", service_level: 200, state: "standby hot", reason: null, active: false },
    ],
    certificates: [
      {
        who: "server",
        subject: "CN=S7-1500, O=Works",
        fingerprint: `${"5f3ac2".repeat(10)}9b01`,
        ends: iso(now + 86_400_000 * 1200),
        days: 1200,
        state: "rejected",
        reason: "nobody has trusted it; the one that was trusted before is in trusted",
      },
      {
        who: "own",
        subject: "CN=Millwright edge",
        fingerprint: `${"0a1b2c".repeat(10)}3d4e`,
        ends: iso(now + 86_400_000 * 400),
        days: 400,
        state: "trusted",
        reason: null,
      },
    ],
    clock: null,
    exception: "no security (None), approved by A. Raza until 2027-06-30: the PLC of 1998 knows none",
    exception_over: false,
  };
}

const orders = [
  {
    number: 12,
    at: iso(Date.now() - 600_000),
    who: "anna",
    reason: "the transmitter was changed",
    edge: "mill-edge-1",
    plc: "utilities",
    trust: null,
    tag: "UTIL/TWR/CWP1/P_OUT",
    as: "rescaled",
    state: "done",
    why: null,
  },
];

function order(body) {
  const o = { trust: null, tag: null, as: null, ...body };
  orders.unshift({ ...o, number: orders.length + 12, at: iso(Date.now()), who: "anna", state: "waiting", why: null });
}

function edges() {
  const now = Date.now();
  const down = state.plc !== "Live";
  return [
    {
      name: "mill-edge-1",
      state: "live",
      since: iso(now - 3_723_000),
      queue_bytes: 18_432,
      oldest: iso(now - 240),
      sent: 48_211 + Math.floor((now - state.begun) / 100),
      acked: 48_209 + Math.floor((now - state.begun) / 100),
      declared: 0,
      clock_offset_ms: 3,
      unread: 0,
      unread_dropped: 0,
      version: "0.1.0",
      broker: {
        url: "ssl://plant.mill:8883",
        since: iso(now - 3_723_000),
        certificates: [
          { who: "own", subject: "CN=mill-edge-1", fingerprint: "", ends: iso(now + 21 * 86_400_000), days: 21, state: "expiring", reason: null },
          { who: "server", subject: "CN=plant.mill", fingerprint: "", ends: iso(now + 300 * 86_400_000), days: 300, state: "trusted", reason: null },
        ],
      },
      box: {
        edge: "mill-edge-1",
        group: "works",
        box: "box-3",
        since: iso(now - 86_000_000),
        number: 12,
        saved: iso(now - 720_000),
        size: 48_211,
        old: false,
        ready: ["spare1"],
        retired: [],
      },
      plcs: [
        {
          name: "mill",
          url: "opc.tcp://127.0.0.1:4840",
          state: state.plc,
          reason: down ? "dial tcp 127.0.0.1:4840: connect: connection refused" : null,
          since: iso(state.plcSince),
          tags: 33,
          values_s: down ? 0 : 318.4,
          rejected: [],
          overflows: 0,
          received: 1_204_332,
          ...quiet,
        },
        {
          name: "utilities",
          url: "opc.tcp://10.20.4.17:4840",
          state: "Live",
          reason: null,
          since: iso(now - 86_000_000),
          tags: 12,
          values_s: 11.8,
          rejected: ["UTIL/TWR/FAN3/VIB: BadNodeIdUnknown", "UTIL/TWR/FAN4/VIB: BadNodeIdUnknown"],
          overflows: 2,
          received: 88_120,
          ...troubled(now),
        },
      ],
      orders: true,
      ledger: ledger(now),
      queue: {
        classes: [
          {
            name: "findings",
            bytes: 0,
            records: 0,
            oldest: null,
            quota: 268_435_456,
            max_age_s: 7_776_000,
            fill: 0,
            hours: null,
            state: "",
            declared: 0,
          },
          {
            name: "telemetry",
            bytes: 18_432,
            records: 2,
            oldest: iso(now - 240),
            quota: 4e9,
            max_age_s: 2_592_000,
            fill: 0.001,
            hours: 71.5,
            state: "",
            declared: 0,
          },
          {
            name: "waveforms",
            bytes: 720e6,
            records: 2_900,
            oldest: iso(now - 96e6),
            quota: 1e9,
            max_age_s: 604_800,
            fill: 0.72,
            hours: 9.4,
            state: "70%",
            declared: 0,
          },
          {
            name: "audit",
            bytes: 0,
            records: 0,
            oldest: null,
            quota: 67_108_864,
            max_age_s: 7_776_000,
            fill: 0,
            hours: null,
            state: "",
            declared: 0,
          },
        ],
        full: false,
        salvage: false,
        salvaged: 0,
        lost: 0,
        written: 812e6,
        syncs: 40_211,
        day_bytes: 1.3e9,
      },
    },
  ];
}

let lost = false;
const explained = [];

function ledger(now) {
  const sent = 1_204_332 + Math.floor((now - state.begun) / 3);
  const loss = {
    reason: "missing",
    from: iso(now - 63_000),
    to: iso(now - 41_000),
    records: 2,
    numbers: "48107-48108",
    epoch: 5_180_302_311_207,
    values: { measured: 480, waveforms: 1 },
  };
  const row = (name, n, way, gone) => ({
    name,
    sent: n,
    stored: n - way - (lost || explained.length ? gone : 0),
    declared: 0,
    under_way: way,
    lost: lost ? gone : 0,
    explained: explained.length ? gone : 0,
  });
  return {
    at: iso(now - 12_000),
    since: iso(now - 9 * 86_400_000),
    done_in_s: 0,
    classes: [
      row("measured", sent, 210, 480),
      row("derived", 88_120, 6, 0),
      row("waveforms", 1_440, 0, 1),
      row("findings", 12, 0, 0),
      row("gaps", 0, 0, 0),
    ],
    loss: lost ? loss : null,
    notes: explained.map((text) => ({ at: iso(now - 5_000), who: "asma", text, loss })),
  };
}

let hang = false;

const server = createServer((req, res) => {
  if (hang && !req.url.startsWith("/fixture")) return;
  const u = new URL(req.url, "http://x");
  const q = (k) => u.searchParams.get(k);
  const json = (body, status = 200) => {
    res.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
    res.end(JSON.stringify(body));
  };
  const bad = (status, detail) => json({ type: "about:blank", title: "Refused", status, detail, instance: u.pathname }, status);
  if (u.pathname === "/fixture") {
    control(u.searchParams);
    return json({ ok: true });
  }
  if (!u.pathname.startsWith("/api/v1/")) return file(u.pathname, res);
  const route = u.pathname.slice(8);
  const span = () => [Date.parse(q("from")), Date.parse(q("to"))];
  switch (route) {
    case "health":
      return json({
        status: "ok",
        version: "0.1.0",
        roles: ["simulator", "edge", "broker", "historian", "hmi"].map((name) => ({ name, state: "running", reason: null })),
      });
    case "me":
      return json({ name: "demo", role: "admin", login: false, can: ["read", "ack", "orders"] });
    case "assets": {
      const rows = assetRows();
      return json({ assets: q("asset") ? rows.filter((a) => a.path === q("asset")) : rows, next: null });
    }
    case "machine":
      return json(machine(q("asset")));
    case "tags":
      return json({ tags: tagRows(q("asset")), next: null });
    case "trend": {
      const x = find(q("tag"));
      if (!x) return bad(404, "no such tag");
      return json({ tag: q("tag"), unit: x.unit, buckets: trend(x, ...span(), Number(q("buckets") ?? 1000)) });
    }
    case "states": {
      const x = find(q("tag"));
      if (!x) return bad(404, "no such tag");
      return json(states(x.a, q("tag"), ...span(), Number(q("limit") ?? 1000)));
    }
    case "gaps": {
      const [from, to] = span();
      const out = [];
      for (const a of assets)
        for (const g of a.tags)
          for (const [f, t] of state.plcDown)
            if (f < to && (t ?? to) > from && t)
              out.push({ tag: `${a.path}/${g.name}`, from: iso(f), to: iso(t), reason: "server-down" });
      return json({ gaps: out, next: null });
    }
    case "alarms": {
      const list = [...alarms.values()].filter((a) => !q("state") || a.state === q("state")).sort((x, y) => y.seq - x.seq);
      return json({ alarms: list.slice(0, Number(q("limit") ?? 1000)), next: null, seq });
    }
    case "edges":
      return json({ edges: edges() });
    case "edges/mill-edge-1/explain":
      req.setEncoding("utf8");
      req.on("data", (text) => {
        lost = false;
        explained.push(JSON.parse(text).note);
        json({ edges: edges() });
      });
      return;
    case "orders":
      if (req.method !== "POST") return json({ orders });
      req.setEncoding("utf8");
      req.on("data", (text) => {
        order(JSON.parse(text));
        json({ orders });
      });
      return;
    case "events": {
      res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
      const send = (a) => res.write(`id: ${a.seq}\nevent: alarm\ndata: ${JSON.stringify(a)}\n\n`);
      res.write("retry: 2000\n\n");
      const after = Number(req.headers["last-event-id"] ?? q("after") ?? seq);
      for (const a of journal) if (a.seq > after) send(a);
      listeners.add(send);
      res.on("close", () => listeners.delete(send));
      return;
    }
  }
  const m = /^alarms\/(\d+)(\/ack)?$/.exec(route);
  const a = m && alarms.get(Number(m[1]));
  if (!a) return bad(404, "no such alarm");
  if (!m[2]) return json({ ...a, causes, basis: a.class === "alarm" ? "rolling bearing housing, warning" : null });
  let body = "";
  req.on("data", (d) => {
    body += d;
  });
  req.on("end", () => {
    const want = JSON.parse(body || "{}");
    if (want.if_state && want.if_state !== a.state) return bad(409, `the alarm is ${a.state} by now`);
    const next = {
      ...a,
      state: a.state === "unacked" ? "acked" : "cleared",
      acked: iso(Date.now()),
      acked_by: "demo",
      note: want.note ?? a.note,
    };
    put(next);
    json(next);
  });
});

function file(path, res) {
  let p = join(dist, normalize(path));
  try {
    if (!p.startsWith(dist) || !statSync(p).isFile()) throw new Error("no file");
  } catch {
    p = join(dist, "index.html");
  }
  res.writeHead(200, { "Content-Type": types[extname(p)] ?? "application/octet-stream", "Content-Security-Policy": CSP });
  res.end(readFileSync(p));
}

function control(q) {
  const now = Date.now();
  if (q.get("fault") === "1") {
    state.fault = now - 110_000;
    gearbox();
  }
  if (q.get("fault") === "0") state.fault = Number.NaN;
  if (q.get("sensor")) {
    state.sensor = true;
    sensorFault();
  }
  if (q.get("learning")) state.learning = true;
  if (q.get("many")) manyAlarms();
  if (q.get("lost")) lost = q.get("lost") === "1";
  if (q.get("hang")) hang = q.get("hang") === "1";
  if (q.get("plc") === "down" && state.plc === "Live") {
    state.plc = "Down";
    state.plcSince = now;
    state.plcDown.push([now, null]);
    plcAlarm(true);
  }
  if (q.get("plc") === "live" && state.plc !== "Live") {
    state.plc = "Live";
    state.plcSince = now;
    state.plcDown.at(-1)[1] = now;
    plcAlarm(false);
  }
  if (q.get("return")) {
    const a = alarms.get(Number(q.get("return")));
    put({ ...a, state: a.state === "acked" ? "cleared" : "rtn_unacked", returned: iso(now) });
  }
}

server.on("upgrade", (req, socket) => {
  if (hang) return socket.destroy();
  const ws = accept(req, socket);
  let list = [];
  let texts = [];
  let wasDown = null;
  let sentTexts = new Map();
  ws.onText = (raw) => {
    const tags = JSON.parse(raw).tags;
    const ids = {};
    const unknown = [];
    list = [];
    texts = [];
    for (const [i, path] of tags.entries()) {
      const x = find(path);
      if (!x) {
        unknown.push(path);
        continue;
      }
      ids[path] = i + 1;
      (x.text ? texts : list).push({ id: i + 1, x, path });
    }
    ws.send(JSON.stringify({ ids, unknown }));
    wasDown = null;
    sentTexts = new Map();
    frame();
  };
  const frame = () => {
    if (hang) return;
    const now = Date.now();
    const down = state.plc !== "Live";
    const changed = down && wasDown === true ? [] : list;
    wasDown = down;
    const buf = Buffer.alloc(2 + 12 * changed.length);
    buf.writeUInt16LE(changed.length, 0);
    changed.forEach(({ id, x }, i) => {
      const t = down ? state.plcSince : now;
      const at = 2 + 12 * i;
      buf.writeUInt16LE(id, at);
      buf.writeUInt16LE(Math.min(65535, Math.round((now - t) / 10) + 6), at + 2);
      buf.writeUInt32LE(down ? STALE : x.q(t), at + 4);
      buf.writeFloatLE(x.read(t), at + 8);
    });
    ws.send(buf);
    const fresh = texts.filter(({ id, x }) => {
      const v = x.text(down ? state.plcSince : now) + down;
      if (sentTexts.get(id) === v) return false;
      sentTexts.set(id, v);
      return true;
    });
    if (fresh.length)
      ws.send(
        JSON.stringify({
          texts: fresh.map(({ id, x }) => ({
            id,
            t: iso(now),
            v: x.text(down ? state.plcSince : now),
            q: names[down ? STALE : 0],
          })),
        }),
      );
  };
  let n = 0;
  const timer = setInterval(() => {
    n++;
    if (state.plc === "Live" || n % 10 === 0 || wasDown === false) frame();
  }, 100);
  ws.onClose = () => clearInterval(timer);
});

seedAlarms();
server.listen(Number(process.argv[2] ?? 8099), "127.0.0.1", () =>
  console.log(`fixture at http://127.0.0.1:${server.address().port}`),
);
