// The learned normal bands of an asset's tags over time: which mode ran when,
// and what the model holds for normal in that mode.

import { type ReadonlySignal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { now } from "../data/clock.ts";
import { get } from "../data/http.ts";
import { link, useLive } from "../data/live.ts";
import type { ModelState, TextState } from "../data/types.ts";
import type { Span } from "./rolling.ts";

export interface ModeSpan extends Span {
  mode: string;
}

export interface BandSpan extends Span {
  low: number;
  high: number;
}

/** More changes of mode than this in one window are not drawn one by one. */
const MOST = 1500;

interface StateList {
  before: TextState | null;
  states: TextState[];
  next: string | null;
}

export function parseModel(text: string | null | undefined): ModelState | null {
  if (!text) return null;
  try {
    return JSON.parse(text) as ModelState;
  } catch {
    return null;
  }
}

/** modeSpans turns changes of mode into spans; the last one is open until end. */
export function modeSpans(changes: readonly { at: number; mode: string }[], from: number, end: number): ModeSpan[] {
  const out: ModeSpan[] = [];
  for (let i = 0; i < changes.length; i++) {
    const c = changes[i];
    if (!c) continue;
    const to = changes[i + 1]?.at ?? end;
    if (to <= from) continue;
    const last = out[out.length - 1];
    if (last && last.mode === c.mode) last.to = to;
    else out.push({ from: Math.max(from, c.at), to, mode: c.mode });
  }
  return out;
}

/** bandSpans gives the band of one tag over spans of modes. */
export function bandSpans(spans: readonly ModeSpan[], models: ReadonlyMap<string, ModelState>, tag: string): BandSpan[] {
  const out: BandSpan[] = [];
  for (const s of spans) {
    const b = models.get(s.mode)?.bands?.[tag];
    if (!b) continue;
    const last = out[out.length - 1];
    if (last && last.to === s.from && last.low === b[0] && last.high === b[1]) last.to = s.to;
    else out.push({ from: s.from, to: s.to, low: b[0], high: b[1] });
  }
  return out;
}

export interface Learned {
  model: ReadonlySignal<ModelState | null>;
  mode: ReadonlySignal<string | null>;
  /** changes of mode, oldest first */
  changes: ReadonlySignal<readonly { at: number; mode: string }[]>;
  /** what the model knows, by mode */
  models: ReadonlySignal<ReadonlyMap<string, ModelState>>;
}

/** useLearned follows the model of an asset. */
export function useLearned(asset: string, window: number): Learned {
  const liveModel = useLive(`${asset}/$MODEL`);
  const liveMode = useLive(`${asset}/$MODE`);
  const past = useSignal<readonly { at: number; mode: string }[]>([]);
  const many = useSignal(false);
  const models = useSignal<ReadonlyMap<string, ModelState>>(new Map());

  const model = useComputed(() => parseModel(liveModel.value?.text));
  const mode = useComputed(() => liveMode.value?.text ?? model.value?.mode ?? null);

  const round = useSignal(0);
  useSignalEffect(() => {
    if (link.value === "live") round.value = round.peek() + 1; // after an outage: read again
  });
  useEffect(() => {
    const stop = new AbortController();
    const to = now();
    const times = (from: number) => ({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    (async () => {
      try {
        const [modes, states] = await Promise.all([
          get<StateList>("states", { tag: `${asset}/$MODE`, ...times(to - window), limit: MOST }, stop.signal),
          get<StateList>("states", { tag: `${asset}/$MODEL`, ...times(to - 300_000), limit: 200 }, stop.signal),
        ]);
        many.value = modes.next !== null;
        const list = many.value ? [] : [modes.before, ...modes.states];
        past.value = list.filter((s) => s !== null).map((s) => ({ at: Date.parse(s.t), mode: s.v }));
        const known = new Map(models.peek());
        for (const s of [states.before, ...states.states]) {
          const m = parseModel(s?.v);
          if (m?.bands && !known.has(m.mode)) known.set(m.mode, m);
        }
        models.value = known;
      } catch {
        // tags that are not there yet; the live ones follow
      }
    })();
    return () => stop.abort();
  }, [asset, window, round.value]);

  useSignalEffect(() => {
    const m = model.value;
    if (!m?.bands) return;
    const next = new Map(models.peek());
    next.set(m.mode, m);
    models.value = next;
  });
  useSignalEffect(() => {
    const v = liveMode.value;
    if (!v || v.text === null) return;
    const list = past.peek();
    const last = list[list.length - 1];
    if (last && (last.mode === v.text || v.at < last.at)) return;
    const at = Number.isFinite(v.at) ? v.at : now();
    // Too many changes to draw one by one: the band of the present mode stands for all.
    past.value = many.peek() ? [{ at: at - 2 * window, mode: v.text }] : [...list.slice(-MOST), { at, mode: v.text }];
  });

  return { model, mode, changes: past, models };
}
