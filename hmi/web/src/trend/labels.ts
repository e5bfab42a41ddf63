// What the crew has said about times of an asset, for the trends.

import { type ReadonlySignal, useComputed } from "@preact/signals";
import { coded } from "../crew/words.ts";
import { usePoll } from "../data/poll.ts";
import type { Label } from "../data/types.ts";
import type { LabelSpan } from "./chart.ts";

const EVERY = 10_000;

/** useLabels follows the labelled intervals of an asset. */
export function useLabels(asset: string): ReadonlySignal<readonly LabelSpan[]> {
  const list = usePoll<{ labels: Label[] }>("labels", { asset, limit: 500 }, EVERY);
  return useComputed(() =>
    (list.data.value?.labels ?? []).map((l) => ({
      from: Date.parse(l.from),
      to: Date.parse(l.to),
      text: coded("verdict", l.verdict),
    })),
  );
}
