// What the page may say about a tag now: the live value, joined with the state
// of the link. Nothing here is good when the link is not.

import { type ReadonlySignal, useComputed } from "@preact/signals";
import { link, useLive } from "./live.ts";
import { type Severity, severityOf, severityOfName, statusName } from "./quality.ts";
import type { Last } from "./types.ts";

export interface Reading {
  value: number; // NaN: none
  text: string | null;
  severity: Severity;
  /** name of the OPC UA status */
  status: string;
  at: number; // ms, NaN: unknown
  older: boolean; // at or any time before
}

/** useReading follows a tag; last is what the server said when the page was made. */
export function useReading(tag: { path: string; last: Last | null }): ReadonlySignal<Reading> {
  const live = useLive(tag.path);
  const last = tag.last;
  return useComputed(() => {
    const v = live.value;
    const dead = link.value !== "live";
    if (v) {
      const remembered = v.older && last !== null && Math.fround(last.v ?? Number.NaN) === v.value;
      const at = remembered ? Math.min(v.at, Date.parse(last.t)) : v.at;
      const none = v.text === null && Number.isNaN(v.value);
      const severity = dead ? "stale" : none && severityOf(v.status) === "good" ? "none" : severityOf(v.status);
      return { value: v.value, text: v.text, severity, status: statusName(v.status), at, older: v.older && !remembered };
    }
    if (!last)
      return {
        value: Number.NaN,
        text: null,
        severity: dead ? "stale" : "none",
        status: "BadWaitingForInitialData",
        at: Number.NaN,
        older: false,
      };
    const severity = dead ? "stale" : severityOfName(last.q);
    return { value: last.v ?? Number.NaN, text: last.text ?? null, severity, status: last.q, at: Date.parse(last.t), older: false };
  });
}
