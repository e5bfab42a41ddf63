// What the crew has said about times of an asset, for the trends.

import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import { get } from "../data/http.ts";
import type { Label } from "../data/types.ts";
import type { LabelSpan } from "./chart.ts";

const EVERY = 10_000;

/** The most answers of a span that a trend draws. */
const MOST = 10_000;

/** labelQuery asks for the answers whose interval touches the window that ends at to, as ms. */
export function labelQuery(asset: string, window: number, to: number) {
  return { asset, from: new Date(to - window).toISOString(), to: new Date(to + 60_000).toISOString(), limit: MOST };
}

/** useLabels follows the labelled intervals of an asset in the window. */
export function useLabels(asset: string, window: number): ReadonlySignal<readonly LabelSpan[]> {
  const list = useSignal<readonly Label[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const once = async () => {
      try {
        list.value = (await get<{ labels: Label[] }>("labels", labelQuery(asset, window, now()), stop.signal)).labels;
      } catch {
        // the next round brings them
      }
    };
    once();
    const timer = setInterval(once, EVERY);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [asset, window, list]);
  return useComputed(() =>
    list.value.map((l) => ({
      from: Date.parse(l.from),
      to: Date.parse(l.to),
      text: coded("verdict", l.verdict),
    })),
  );
}
