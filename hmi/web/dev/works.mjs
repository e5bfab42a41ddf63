// A made-up works for looking at pages while developing: every value is a
// function of tag and time, so that history and live values agree. Nothing of
// this is in the product.

const STALE = 0x408f0000;

const asset = (path, name, cls, crit, tags) => ({ path, name, class: cls, criticality: crit, tags });
const tag = (name, unit, low, high, base, run, noise, description, kind = "analog") => ({
  name,
  unit,
  low,
  high,
  base,
  run,
  noise,
  description,
  kind,
});

export const assets = [
  asset("HSM/FM/F3/GBX", "Finishing stand F3 gearbox", "gearbox", "A", [
    tag("VIB_H", "mm/s", 0, 20, 0.6, 2.1, 0.12, "Vibration of the housing, horizontal"),
    tag("VIB_V", "mm/s", 0, 20, 0.5, 1.7, 0.1, "Vibration of the housing, vertical"),
    tag("VIB_A", "mm/s", 0, 20, 0.3, 1.1, 0.08, "Vibration of the housing, axial"),
    tag("OIL_T", "°C", 20, 90, 48, 52, 0.15, "Oil temperature in the sump"),
    tag("OIL_P", "bar", 0, 6, 2.4, 2.6, 0.02, "Oil pressure after the filter"),
    tag("OIL_DP", "bar", 0, 2, 0.31, 0.36, 0.01, "Pressure drop of the filter"),
    tag("BRG_DE_T", "°C", 20, 110, 51, 58, 0.2, "Pinion bearing, drive end"),
    tag("BRG_NDE_T", "°C", 20, 110, 49, 55, 0.2, "Pinion bearing, far end"),
    tag("I_ARM", "A", 0, 6000, 180, 3350, 42, "Armature current of the main drive"),
    tag("U_ARM", "V", 0, 900, 120, 690, 4, "Armature voltage"),
    tag("SPEED", "r/min", 0, 600, 95, 410, 1.2, "Motor speed"),
    tag("SPEED_SP", "r/min", 0, 600, 95, 410, 0, "Motor speed, set point", "setpoint"),
    tag("TORQ", "kN·m", 0, 1200, 14, 505, 9, "Torque of the main spindle"),
    tag("F_DS", "MN", 0, 30, 0.1, 12.4, 0.18, "Roll force, drive side"),
    tag("F_OS", "MN", 0, 30, 0.1, 12.1, 0.18, "Roll force, operator side"),
    tag("GAP", "mm", 0, 60, 24, 7.62, 0.01, "Roll gap"),
    tag("BITE", "", null, null, 0, 1, 0, "Strip in the stand", "discrete"),
  ]),
  asset("HSM/DESC/P2", "Descaling pump 2", "pump", "B", [
    tag("P_SUC", "bar", 0, 10, 4.1, 3.8, 0.03, "Suction pressure"),
    tag("P_DIS", "bar", 0, 250, 172, 181, 0.7, "Discharge pressure"),
    tag("FLOW", "m³/h", 0, 400, 60, 265, 2.5, "Discharge flow"),
    tag("I_MOT", "A", 0, 250, 92, 171, 1.1, "Motor current"),
    tag("VIB", "mm/s", 0, 20, 1.4, 1.9, 0.1, "Vibration of the pump, radial"),
    tag("VIB_AX", "mm/s", 0, 20, 0.9, 1.2, 0.08, "Vibration of the pump, axial"),
    tag("BRG_T", "°C", 20, 110, 54, 61, 0.2, "Bearing temperature"),
    tag("LEAK_F", "l/min", 0, 120, 18, 21, 0.4, "Leak-off flow of the balance drum"),
  ]),
  asset("BOF/GAS/FAN1", "Converter 1 off-gas fan", "fan", "A", [
    tag("SPEED", "r/min", 0, 1500, 420, 1180, 1.5, "Fan speed"),
    tag("I_MOT", "A", 0, 300, 61, 204, 1.6, "Motor current"),
    tag("VIB_H", "mm/s", 0, 20, 0.9, 2.4, 0.1, "Vibration, horizontal"),
    tag("VIB_V", "mm/s", 0, 20, 0.8, 2.0, 0.1, "Vibration, vertical"),
    tag("BRG_DE_T", "°C", 20, 110, 46, 55, 0.2, "Bearing, drive end"),
    tag("T_GAS", "°C", 0, 200, 58, 69, 0.5, "Gas temperature before the fan"),
    tag("DP", "mbar", 0, 250, 32, 144, 1.4, "Pressure rise"),
    tag("SPRAY_F", "m³/h", 0, 60, 12, 31, 0.3, "Spray water"),
  ]),
];

export const state = {
  begun: Date.now(),
  fault: Number.NaN, // when the gearbox began to fail
  sensor: false,
  plc: "Live",
  plcSince: Date.now() - 3_723_000,
  plcDown: [], // [from, to] spans
  learning: false,
};

function hash(n) {
  let x = Math.imul(n ^ (n >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return ((x ^ (x >>> 16)) >>> 0) / 4294967296;
}

const COIL = 150_000;

export function modeAt(path, t) {
  if (path.startsWith("BOF")) return t % 1_500_000 < 900_000 ? "blowing" : "standby";
  const p = t % COIL;
  if (path.startsWith("HSM/DESC")) return p > 12_000 && p < 118_000 ? "spraying" : "idle";
  if (p < 14_000) return "threading";
  if (p < 112_000) return "rolling";
  if (p < 120_000) return "tail-out";
  return "idle";
}

export const modesOf = (path) =>
  path.startsWith("BOF")
    ? ["blowing", "standby"]
    : path.startsWith("HSM/DESC")
      ? ["spraying", "idle"]
      : ["threading", "rolling", "tail-out", "idle"];

/** nextChange is when the mode after t begins. */
export function nextChange(path, t) {
  const m = modeAt(path, t);
  let x = Math.floor(t / 1000) * 1000 + 1000;
  while (modeAt(path, x) === m) x += 1000;
  return x;
}

const level = { rolling: 1, spraying: 1, blowing: 1, threading: 0.55, "tail-out": 0.5, idle: 0, standby: 0 };

export function severityOfFault(t) {
  return Number.isNaN(state.fault) || t < state.fault ? 0 : Math.min(1, (t - state.fault) / 120_000);
}

export function valueAt(a, g, t) {
  const l = level[modeAt(a.path, t)];
  if (g.kind === "discrete") return l > 0.4 ? 1 : 0;
  let v = g.base + (g.run - g.base) * l;
  if (g.kind === "setpoint") return v;
  const seed = [...g.name].reduce((n, c) => n * 31 + c.charCodeAt(0), a.path.length);
  const n = (k) => hash(Math.floor(t / k) + seed) - 0.5;
  v += g.noise * (1.6 * n(100) + 1.2 * n(1700) + Math.sin(t / 41_000 + seed));
  if (a.path === "HSM/FM/F3/GBX") {
    const s = severityOfFault(t);
    if (g.name === "VIB_H") v += s * (2.6 * l + 0.4) + s * 1.2 * Math.abs(n(100)) * 2;
    if (g.name === "BRG_DE_T") v += s * 9;
    if (g.name === "VIB_V") v += s * 0.9 * l;
    if (g.name === "OIL_T") v += s * 2.1;
  }
  if (a.path === "HSM/DESC/P2" && g.name === "P_DIS" && state.sensor) v = 176.4;
  return Math.max(g.low ?? v, v);
}

export function isDown(t) {
  return state.plcDown.some(([from, to]) => t >= from && t < (to ?? Number.POSITIVE_INFINITY));
}

export function qualityAt(a, g, t) {
  if (a.path === "BOF/GAS/FAN1" && g.name === "T_GAS" && t % 600_000 > 540_000) return 0x808c0000;
  return 0;
}

export function scoreAt(a, t) {
  const s = a.path === "HSM/FM/F3/GBX" ? severityOfFault(t) : 0;
  const seed = a.path.length * 7;
  return Math.min(
    1,
    Math.max(
      0.01,
      0.08 +
        0.06 * hash(Math.floor(t / 1000) + seed) +
        0.05 * Math.sin(t / 200_000 + seed) +
        s * (0.7 + 0.1 * hash(Math.floor(t / 900))),
    ),
  );
}

export function bandsOf(a, mode) {
  const l = level[mode];
  const out = {};
  for (const g of a.tags) {
    if (g.kind !== "analog") continue;
    const v = g.base + (g.run - g.base) * l;
    out[`${a.path}/${g.name}`] = [v - g.noise * 2.8, v + g.noise * 2.8];
  }
  return out;
}

export function modelOf(a, t) {
  const mode = modeAt(a.path, t);
  if (state.learning && a.path === "BOF/GAS/FAN1")
    return { phase: "learning", mode, learned: Math.min(1, 0.37 + (t - state.begun) / 600_000), limit: 0.5, guess: true };
  return { phase: "monitoring", mode, learned: 1, limit: 0.5, guess: a.path.startsWith("BOF"), bands: bandsOf(a, mode) };
}

export { STALE };
