// Alarm marks: shape and number say the priority, filling and halo the state,
// colour only repeats it. Readable in greyscale.

import type { JSX } from "preact";
import { isActive, needsAck } from "../data/alarmbook.ts";
import type { AlarmState, Asset, AssetState } from "../data/types.ts";
import { t } from "../i18n/text.ts";

const shapes: Record<number, string> = {
  1: "M9.2 3.5h9.6l5.7 5.7v9.6l-5.7 5.7H9.2l-5.7-5.7V9.2z",
  2: "M14 3.2L25.4 23.6H2.6z",
  3: "M14 2.6L25.4 14 14 25.4 2.6 14z",
  4: "M14 3.6a10.4 10.4 0 1 0 0 20.8 10.4 10.4 0 0 0 0-20.8z",
};

export function stateText(s: AlarmState): string {
  return t(`alarm.state.${s}`);
}

/** Mark is the priority and state of an alarm. Quiet marks leave the words to the text beside them; calm ones have no halo. */
export function Mark(props: {
  priority: number;
  state: AlarmState;
  quiet?: boolean;
  large?: boolean;
  calm?: boolean;
}): JSX.Element {
  const p = Math.min(4, Math.max(1, props.priority));
  const look = isActive(props) ? "active" : needsAck(props) ? "returned" : "cleared";
  return (
    <span class={`mark p${p} ${look}${needsAck(props) && !props.calm ? " unseen" : ""}${props.large ? " large" : ""}`}>
      {!props.quiet && <span class="hidden-text">{t("alarm.mark", { p, state: stateText(props.state) })}</span>}
      <svg viewBox="0 0 28 28" focusable="false" aria-hidden="true">
        <path class="halo" d={shapes[p]} />
        <path class="shape" d={shapes[p]} />
        <text x="14" y={p === 2 ? 20.5 : 18.9} text-anchor="middle">
          {p}
        </text>
      </svg>
    </span>
  );
}

/** AssetMark is the state of an asset: its worst alarm, or a grey sign. */
export function AssetMark(props: { asset: Asset; stale: boolean }): JSX.Element {
  const a = props.asset;
  const state = props.stale ? "stale" : a.state;
  if (a.worst && state !== "stale" && (state === "alarm" || state === "warning" || state === "sensor")) {
    return <Mark priority={a.worst.priority} state={a.worst.state} quiet large />;
  }
  return (
    <span class={`mark large sign ${state}`} aria-hidden="true">
      <svg viewBox="0 0 28 28" focusable="false" aria-hidden="true">
        {state === "stale" ? (
          <rect class="hatched" x="4.5" y="4.5" width="19" height="19" rx="2" />
        ) : (
          <circle cx="14" cy="14" r="9.5" />
        )}
        {state === "normal" && <path d="M9.7 14.3l3 3 5.6-6" />}
        {state === "stale" && <path d="M4.5 16L16 4.5M4.5 23.5l19-19M12 23.5L23.5 12" />}
        {state === "learning" && <path d="M14 8.5V14l3.6 2.4" />}
      </svg>
    </span>
  );
}

export function assetStateText(state: AssetState): string {
  return t(`asset.state.${state}`);
}
