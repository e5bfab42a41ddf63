// A finding in words: what, where, against which limit.

import type { JSX } from "preact";
import type { Alarm, Contribution, Worst } from "../data/types.ts";
import { fixed, readable, withUnit } from "../format.ts";
import { known, t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";

type PlainKey = "kind.machine.anomaly" | "detector.wpca" | "direction.high" | "gap.server-down";

/** word is the text of a key made from data, or the data itself where there is no text. */
export function word(prefix: "kind" | "detector" | "direction" | "gap", value: string): string {
  const key = `${prefix}.${value}`;
  return known(key) ? t(key as PlainKey) : value;
}

/** Said is what a PLC says in its own words, whatever their direction. */
export function Said(props: { text: string | null | undefined }): JSX.Element | null {
  return props.text ? (
    <q class="said">
      <bdi>{props.text}</bdi>
    </q>
  ) : null;
}

/** What is the headline: kind, tag, and the PLC's words. Findings of several tags name the largest part. */
export function What(props: { alarm: Alarm }): JSX.Element {
  const f = props.alarm.finding;
  const tag = f.tag ?? f.contributions?.[0]?.tag;
  return (
    <span class="what">
      <span class="what-kind">{word("kind", f.kind)}</span>
      {tag && <TagName path={tag} asset={props.alarm.asset} />}
      <Said text={f.text} />
    </span>
  );
}

/** WhatWorst is the headline of an asset's worst alarm. */
export function WhatWorst(props: { worst: Worst; asset: string }): JSX.Element {
  return (
    <span class="what">
      <span class="what-kind">{word("kind", props.worst.kind)}</span>
      {props.worst.tag && <TagName path={props.worst.tag} asset={props.asset} />}
      <Said text={props.worst.text} />
    </span>
  );
}

/** isMeasured says whether there is a number behind the finding: a lost link has none, nor what a PLC says. */
export function isMeasured(a: Alarm): boolean {
  const f = a.finding;
  if (a.class === "system" && !f.limit && !f.value) return false; // 0 against 0: nothing was measured
  return a.class !== "plc" && (f.limit !== null || f.value !== null);
}

/** Measure is what was judged against its limit. */
export function Measure(props: { alarm: Alarm }): JSX.Element | null {
  if (!isMeasured(props.alarm)) return null;
  const f = props.alarm.finding;
  const judged = f.value ?? f.score;
  const { factor, unit } = readable(f.kind, f.limit, f.value === null ? "" : f.unit);
  const scaled = (v: number | null) => (v === null ? null : v * factor);
  const places = placesOf(scaled(judged), scaled(f.limit));
  const write = (v: number | null) => withUnit(fixed(scaled(v), places), unit);
  return (
    <span class="measure">
      <Num>{write(judged)}</Num>
      {f.limit !== null && !(f.limit === 0 && props.alarm.class === "sensor") && (
        <span class="muted">
          {" "}
          {t("finding.limit")} <Num>{write(f.limit)}</Num>
        </span>
      )}
    </span>
  );
}

/** Direction says which way a tag went, with a sign that greyscale keeps. */
export function Direction(props: { c: Contribution }): JSX.Element {
  const d = props.c.direction;
  const sign = d === "high" ? "↑" : d === "low" ? "↓" : d === "noisy" ? "≈" : d === "frozen" ? "=" : "·";
  return (
    <span class="direction">
      <span class="direction-sign" aria-hidden="true">
        <Data>{sign}</Data>
      </span>{" "}
      {word("direction", d)}
    </span>
  );
}

/** placesOf is how many decimals two numbers need to be compared by eye. */
function placesOf(a: number | null, b: number | null): number {
  const big = Math.max(Math.abs(a ?? 0), Math.abs(b ?? 0));
  return big >= 1000 ? 0 : big >= 100 ? 1 : big >= 1 ? 2 : 3;
}

/** compared is the value against what the model expected, with the same decimals. */
export function compared(c: Contribution): { value: string; expected: string } {
  const places = placesOf(c.value, c.expected);
  return { value: fixed(c.value, places), expected: fixed(c.expected, places) };
}
