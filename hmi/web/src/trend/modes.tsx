// Which mode ran when, on the time axis of the trends, in greys.

import type { JSX } from "preact";
import { now, tick } from "../data/clock.ts";
import { link } from "../data/live.ts";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { type Learned, modeSpans } from "./bands.ts";
import type { Window } from "./spans.ts";

/** More spans than this are not told apart on a screen. */
const MOST = 240;

export function ModeStrip(props: { learned: Learned; window: Window }): JSX.Element | null {
  void tick.value;
  const to = now();
  const from = to - props.window.span;
  const spans = modeSpans(props.learned.changes.value, from, to);
  if (spans.length === 0) return null;
  const modes = [...new Set(spans.map((s) => s.mode))].sort();
  const tone = (mode: string) => modes.indexOf(mode) % 5;
  return (
    <div class="modes" dir="ltr">
      <span class="modes-label">{t("asset.mode")}</span>
      <ol class={link.value === "live" ? "modes-strip" : "modes-strip old"}>
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
