// One clock for the page: the server's. A phone whose own clock is wrong must
// not show wrong ages.

import { signal } from "@preact/signals";
import { repeat } from "./pace.ts";

let offset = 0; // server minus browser, ms

/** now is the server's time in ms since 1970. */
export function now(): number {
  return Date.now() + offset;
}

/**
 * observeDate takes the Date header of an answer. It has whole seconds, so a
 * difference below 2 s says nothing and is left at 0.
 */
export function observeDate(header: string | null, sent: number, received: number): void {
  if (!header) return;
  const server = Date.parse(header);
  if (Number.isNaN(server)) return;
  const diff = server + 500 - (sent + received) / 2;
  offset = Math.abs(diff) < 2000 ? 0 : diff;
}

/** tick changes twice a second; what shows an age reads it. */
export const tick = signal(now());

export function startClock(): void {
  repeat(500, () => {
    tick.value = now();
  });
}
