// The browser's copy of the alarm book: a pure reducer. Events and lists may
// come in any order and more than once; of one alarm the entry with the largest
// journal number wins.

import type { Alarm, AlarmClass, AlarmState } from "./types.ts";

export type Book = ReadonlyMap<number, Alarm>;

export const emptyBook: Book = new Map();

/** merge takes alarms from a list, an event or the answer to an acknowledgement. */
export function merge(book: Book, alarms: readonly Alarm[]): Book {
  const next = new Map(book);
  let changed = false;
  for (const a of alarms) {
    const old = next.get(a.id);
    if (old && old.seq >= a.seq) continue;
    next.set(a.id, a);
    changed = true;
  }
  return changed ? next : book;
}

export function isOpen(a: { state: AlarmState }): boolean {
  return a.state !== "cleared";
}

export function isActive(a: { state: AlarmState }): boolean {
  return a.state === "unacked" || a.state === "acked";
}

export function needsAck(a: { state: AlarmState }): boolean {
  return a.state === "unacked" || a.state === "rtn_unacked";
}

const classRank: Record<AlarmClass, number> = { alarm: 0, plc: 1, advisory: 2, system: 3, sensor: 4 };

/** byUrgency: active before returned, then priority, unseen first, class, newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return (
    Number(isActive(b)) - Number(isActive(a)) ||
    a.priority - b.priority ||
    Number(needsAck(b)) - Number(needsAck(a)) ||
    classRank[a.class] - classRank[b.class] ||
    b.raised.localeCompare(a.raised) ||
    b.id - a.id
  );
}

/** newestFirst is the order of the alarm list. */
export function newestFirst(a: Alarm, b: Alarm): number {
  return b.raised.localeCompare(a.raised) || b.id - a.id;
}

export interface Counts {
  open: number;
  unacked: number;
  /** open alarms of priorities 1 to 4 */
  byPriority: [number, number, number, number];
  /** those of them that are active */
  activeByPriority: [number, number, number, number];
}

export function count(alarms: Iterable<Alarm>): Counts {
  const c: Counts = { open: 0, unacked: 0, byPriority: [0, 0, 0, 0], activeByPriority: [0, 0, 0, 0] };
  for (const a of alarms) {
    if (!isOpen(a)) continue;
    c.open++;
    if (needsAck(a)) c.unacked++;
    const p = Math.min(4, Math.max(1, a.priority)) - 1;
    c.byPriority[p] = (c.byPriority[p] ?? 0) + 1;
    if (isActive(a)) c.activeByPriority[p] = (c.activeByPriority[p] ?? 0) + 1;
  }
  return c;
}

export type Show = "open" | "unacked" | "active" | "cleared" | "all";

export interface Filter {
  show: Show;
  priority: number; // 0: all
  class: AlarmClass | "";
  asset: string; // this asset and all below it
  text: string;
}

export function matches(a: Alarm, f: Filter): boolean {
  switch (f.show) {
    case "open":
      if (!isOpen(a)) return false;
      break;
    case "unacked":
      if (!needsAck(a)) return false;
      break;
    case "active":
      if (!isActive(a)) return false;
      break;
    case "cleared":
      if (a.state !== "cleared") return false;
      break;
    case "all":
      break;
  }
  if (f.priority && a.priority !== f.priority) return false;
  if (f.class && a.class !== f.class) return false;
  if (f.asset && a.asset !== f.asset && !a.asset.startsWith(`${f.asset}/`)) return false;
  if (f.text === "") return true;
  const needle = f.text.toLowerCase();
  return `${a.title} ${a.asset} ${a.finding.detector} ${a.note ?? ""}`.toLowerCase().includes(needle);
}
