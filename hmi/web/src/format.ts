// Numbers, times and sizes for people, by Intl in the page's language, with
// 24-hour clocks. Values keep Latin digits: tag names and units do too.

import { language, t } from "./i18n/text.ts";

const cache = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function numberFormat(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const tag = language.value.tag;
  const key = `n${tag}${JSON.stringify(options)}`;
  let f = cache.get(key) as Intl.NumberFormat | undefined;
  if (!f) {
    f = new Intl.NumberFormat(tag, { ...options, numberingSystem: "latn" });
    cache.set(key, f);
  }
  return f;
}

function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const tag = language.value.tag;
  const key = `d${tag}${JSON.stringify(options)}`;
  let f = cache.get(key) as Intl.DateTimeFormat | undefined;
  if (!f) {
    f = new Intl.DateTimeFormat(tag, { ...options, hourCycle: "h23", numberingSystem: "latn" });
    cache.set(key, f);
  }
  return f;
}

/** What decides how many decimals a value has. */
export interface Scale {
  resolution?: number | null;
  low?: number | null;
  high?: number | null;
  kind?: string;
}

/** decimals of a tag: those of its resolution, else by its range. */
export function decimals(s: Scale): number {
  if (s.kind === "discrete") return 0;
  if (s.resolution && s.resolution > 0) return clamp(Math.ceil(-Math.log10(s.resolution) - 1e-9), 0, 4);
  const span = (s.high ?? 0) - (s.low ?? 0);
  if (!(span > 0)) return 2;
  return clamp(3 - Math.floor(Math.log10(span) + 1e-9), 0, 4);
}

function clamp(v: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, v));
}

/** fixed writes a value with a set number of decimals; nothing for no value. */
export function fixed(v: number | null | undefined, places: number): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const f = numberFormat({ minimumFractionDigits: places, maximumFractionDigits: places, useGrouping: Math.abs(v) >= 10000 });
  const s = f.format(v === 0 ? 0 : v).replace("-", "−");
  return /^−[0.,\s]+$/.test(s) ? s.slice(1) : s;
}

/** brief writes a number whose scale is not known with three or four digits. */
export function brief(v: number | null | undefined): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  const a = Math.abs(v);
  return fixed(v, a >= 1000 || Number.isInteger(v) ? 0 : a >= 100 ? 1 : a >= 1 ? 2 : 3);
}

/** unitText is a unit as people write it: the "1" of a pure number is not written. */
export function unitText(unit: string | null | undefined): string {
  return !unit || unit === "1" ? "" : unit;
}

/** withUnit puts a unit behind a number that is written already. */
export function withUnit(number: string, unit: string | null | undefined): string {
  const u = unitText(unit);
  return u === "" ? number : `${number} ${u}`;
}

/** readable is how a rate of rise is compared: a slow one by the minute. The server's messages do the same. */
export function readable(kind: string, limit: number | null, unit: string | null | undefined): { factor: number; unit: string } {
  const u = unit ?? "";
  if (!kind.endsWith("rate") || limit === null || Math.abs(limit) >= 0.1 || !u.endsWith("/s")) return { factor: 1, unit: u };
  return { factor: 60, unit: `${u.slice(0, -2)}/min` };
}

export function integer(v: number): string {
  return numberFormat({ maximumFractionDigits: 0 }).format(v);
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  return numberFormat({ style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** bytes with decimal prefixes, as disks are sold. */
export function bytes(n: number): string {
  if (n < 1000) return t("size.b", { v: integer(n) });
  const units = ["size.kb", "size.mb", "size.gb", "size.tb"] as const;
  let v = n / 1000;
  let i = 0;
  while (v >= 999.5 && i < units.length - 1) {
    v /= 1000;
    i++;
  }
  return t(units[i] ?? "size.tb", { v: fixed(v, v < 10 ? 1 : 0) });
}

/** span is a length of time in one or two units. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return t("span.s", { v: fixed(s, 1) });
  if (s < 99.5) return t("span.s", { v: fixed(s, 0) });
  const min = s / 60;
  if (min < 59.5) return t("span.min", { v: fixed(min, 0) });
  const h = min / 60;
  if (h < 9.95) return t("span.h", { v: fixed(h, 1) });
  if (h < 47.5) return t("span.h", { v: fixed(h, 0) });
  return t("span.d", { v: fixed(h / 24, 0) });
}

/** clock is the time of day with seconds. */
export function clock(ms: number): string {
  return dateFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}

export function hourMinute(ms: number): string {
  return dateFormat({ hour: "2-digit", minute: "2-digit" }).format(ms);
}

export function dayMonth(ms: number): string {
  return dateFormat({ day: "2-digit", month: "short" }).format(ms);
}

/** moment is date and time in full. */
export function moment(ms: number): string {
  return dateFormat({
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(ms);
}

/** short is the time of day, with the day where it is not today; in another year the date alone. */
export function short(ms: number, today: number): string {
  const at = new Date(ms);
  const now = new Date(today);
  if (at.toDateString() === now.toDateString()) return clock(ms);
  if (at.getFullYear() === now.getFullYear()) return `${dayMonth(ms)} ${hourMinute(ms)}`;
  return dateFormat({ year: "numeric", month: "short", day: "2-digit" }).format(ms);
}
