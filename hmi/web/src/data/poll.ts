import { batch, type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { tick } from "./clock.ts";
import { get, Problem } from "./http.ts";
import { link } from "./live.ts";

export interface Polled<T> {
  readonly data: Signal<T | null>;
  /** when the data came, ms of the browser's clock; 0: never */
  readonly at: Signal<number>;
  readonly error: Signal<Problem | null>;
}

type Query = Record<string, string | number | undefined>;

/** pause until what is not there yet is asked for again, ms */
const SOON = 300;

/**
 * usePoll fetches a route now and every interval while the component is shown.
 * What is missing, as the tags of a plant that is just starting, is asked for
 * again soon.
 */
export function usePoll<T>(route: string, query: Query, interval: number, missing?: (got: T) => boolean): Polled<T> {
  const data = useSignal<T | null>(null);
  const at = useSignal(0);
  const error = useSignal<Problem | null>(null);
  const key = `${route}?${JSON.stringify(query)}`;
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const once = async () => {
      const begun = Date.now();
      let next = interval;
      try {
        const got = await get<T>(route, query, stop.signal);
        if (missing?.(got)) next = SOON;
        batch(() => {
          data.value = got;
          at.value = Date.now();
          error.value = null;
        });
      } catch (e) {
        if (stop.signal.aborted) return;
        error.value = e instanceof Problem ? e : new Problem(0, String(e));
      }
      if (!stop.signal.aborted) timer = setTimeout(once, Math.max(250, next - (Date.now() - begun)));
    };
    data.value = null;
    once();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, interval]);
  return { data, at, error };
}

/** isFresh says whether polled data may be shown as the present. Reads signals. */
export function isFresh(p: Polled<unknown>, interval: number): boolean {
  void tick.value;
  return link.value === "live" && p.at.value > 0 && Date.now() - p.at.value < interval * 2 + 2000;
}
