// The alarm feed: the book as a signal, filled from a list and kept by
// server-sent events; and acknowledging.

import { batch, computed, signal } from "@preact/signals";
import { type Book, byUrgency, count, emptyBook, isOpen, merge } from "./alarmbook.ts";
import { get, Problem, post } from "./http.ts";
import type { Alarm, AlarmList } from "./types.ts";

export const book = signal<Book>(emptyBook);
export const loaded = signal(false);
/** listening is false while no events arrive: the list may then be out of date. */
export const listening = signal(false);

export const open = computed(() => [...book.value.values()].filter(isOpen).sort(byUrgency));
export const counts = computed(() => count(book.value.values()));

export function openOf(asset: string): Alarm[] {
  return open.value.filter((a) => a.asset === asset);
}

const arrivals = new Set<(a: Alarm) => void>();

/** onArrival calls f for each alarm that comes or changes while the page is open. */
export function onArrival(f: (a: Alarm) => void): () => void {
  arrivals.add(f);
  return () => arrivals.delete(f);
}

let seq = 0;
let source: EventSource | null = null;
let again = 0;

export async function startAlarms(): Promise<void> {
  try {
    seq = await reload();
    listen();
  } catch {
    setTimeout(startAlarms, 2000);
  }
}

/** reload fetches all that is open and the newest of what is cleared. */
async function reload(): Promise<number> {
  const newest = await get<AlarmList>("alarms", { limit: 500 });
  const lists = await Promise.all(
    (["unacked", "acked", "rtn_unacked"] as const).map((state) => get<AlarmList>("alarms", { state, limit: 2000 })),
  );
  batch(() => {
    book.value = merge(book.value, [...newest.alarms, ...lists.flatMap((l) => l.alarms)]);
    loaded.value = true;
  });
  return newest.seq;
}

function listen(): void {
  clearTimeout(again);
  source?.close();
  const es = new EventSource(`/api/v1/events?after=${seq}`);
  source = es;
  es.onopen = () => {
    listening.value = true;
  };
  es.addEventListener("alarm", (e) => {
    const a = JSON.parse((e as MessageEvent<string>).data) as Alarm;
    seq = Math.max(seq, Number(e.lastEventId) || a.seq);
    take(a);
  });
  es.onerror = () => {
    listening.value = false;
    // A refused connection ends the source for good; a broken one it repairs.
    if (es.readyState === EventSource.CLOSED && source === es) again = setTimeout(listen, 2000);
  };
}

function take(a: Alarm): void {
  const before = book.value;
  book.value = merge(before, [a]);
  if (book.value !== before) for (const f of arrivals) f(a);
}

export interface AckTry {
  /** what stands on the way */
  state: "sending" | "refused";
  status: number;
  detail: string;
}

/** tries holds acknowledgements under way and refused ones, by alarm. */
export const tries = signal<ReadonlyMap<number, AckTry>>(new Map());

function setTry(id: number, v: AckTry | null): void {
  const next = new Map(tries.value);
  if (v) next.set(id, v);
  else next.delete(id);
  tries.value = next;
}

/** dismissTry forgets a refused acknowledgement. */
export function dismissTry(id: number): void {
  setTry(id, null);
}

/**
 * acknowledge asks the server. The list changes when the server says so and
 * not before; until then the alarm shows that it is being sent, and a refusal
 * stays visible beside it.
 */
export async function acknowledge(a: Alarm, note: string): Promise<boolean> {
  setTry(a.id, { state: "sending", status: 0, detail: "" });
  try {
    const body = note === "" ? { if_state: a.state } : { if_state: a.state, note };
    const got = await post<Alarm>(`alarms/${a.id}/ack`, body);
    batch(() => {
      setTry(a.id, null);
      take(got);
    });
    return true;
  } catch (e) {
    const p = e instanceof Problem ? e : new Problem(0, String(e));
    setTry(a.id, { state: "refused", status: p.status, detail: p.message });
    if (p.status === 409 || p.status === 404) refresh(a.id);
    return false;
  }
}

async function refresh(id: number): Promise<void> {
  try {
    take(await get<Alarm>(`alarms/${id}`));
  } catch {
    // the events bring it
  }
}

/** fetchAlarm brings an alarm that is older than the list. */
export async function fetchAlarm(id: number): Promise<void> {
  book.value = merge(book.value, [await get<Alarm>(`alarms/${id}`)]);
}
