// Which mode ran when, on the time axis of the trends, in greys.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { now, tick } from "../data/clock.ts";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { type Learned, modeSpans } from "./bands.ts";
import type { Window } from "./spans.ts";

/** More spans than this are not told apart on a screen. */
const MOST = 240;

export function ModeStrip(props: { learned: Learned; window: Window }): JSX.Element | null {
  void tick.value;
  const tones = useRef(new Map<string, number>());
  const to = now();
  const from = to - props.window.span;
  const spans = modeSpans(props.learned.changes.value, from, to);
  if (spans.length === 0) return null;
  const tone = (mode: string) => {
    let n = tones.current.get(mode);
    if (n === undefined) {
      n = tones.current.size % 5;
      tones.current.set(mode, n);
    }
    return n;
  };
  return (
    <div class="modes" dir="ltr">
      <span class="modes-label">{t("asset.mode")}</span>
      <ol class="modes-strip">
        {spans.slice(-MOST).map((s) => {
          const share = (s.to - s.from) / props.window.span;
          return (
            <li
              key={s.from}
              class={`tone-${tone(s.mode)}`}
              title={s.mode}
              style={{ insetInlineStart: `${((s.from - from) / props.window.span) * 100}%`, inlineSize: `${share * 100}%` }}
            >
              <Data class={share > 0.05 ? undefined : "hidden-text"}>{s.mode}</Data>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
