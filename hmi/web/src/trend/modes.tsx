// Which mode ran when, on the time axis of the trends, in greys.

import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import { now, tick } from "../data/clock.ts";
import { link } from "../data/live.ts";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { type Learned, modeSpans } from "./bands.ts";
import { begin, type Window } from "./spans.ts";

/** More spans than this are not told apart on a screen. */
const MOST = 240;

export function ModeStrip(props: { learned: Learned; window: Window; earliest: ReadonlySignal<number> }): JSX.Element | null {
  void tick.value;
  const to = now();
  const from = begin(props.window, to, props.earliest.value);
  const width = to - from;
  const spans = modeSpans(props.learned.changes.value, from, to);
  if (spans.length === 0) return null;
  const modes = [...new Set(spans.map((s) => s.mode))].sort();
  const tone = (mode: string) => modes.indexOf(mode) % 5;
  return (
    <div class="modes">
      <div class="modes-legend">
        <span class="modes-label">{t("asset.mode")}</span>
        <ul>
          {modes.map((m) => (
            <li key={m}>
              <span class={`modes-key tone-${tone(m)}`} aria-hidden="true" />
              <Data>{m}</Data>
            </li>
          ))}
        </ul>
      </div>
      {/* Drawn as SVG: boxes that move with the time would shift the layout. */}
      <svg class={link.value === "live" ? "modes-strip" : "modes-strip old"} role="img" aria-label={t("asset.modeStrip")}>
        {spans.slice(-MOST).map((s) => {
          const x = ((s.from - from) / width) * 100;
          const share = ((s.to - s.from) / width) * 100;
          return (
            <g key={s.from} class={`tone-${tone(s.mode)}`}>
              <title>{s.mode}</title>
              <rect x={`${x}%`} width={`${share}%`} height="100%" />
              {share > 6 && (
                <text x={`${x}%`} dx="7" y="15.5">
                  {s.mode}
                </text>
              )}
            </g>
          );
        })}
      </svg>
    </div>
  );
}
