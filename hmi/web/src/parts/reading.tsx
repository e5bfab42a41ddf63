import type { ReadonlySignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Reading } from "../data/reading.ts";
import { decimals, fixed, type Scale, unitText } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Age, Data, Num } from "./data.tsx";

/** Value is a number with its unit, or a text. Hatched where it is not good. */
export function Value(props: { path: string; reading: ReadonlySignal<Reading>; scale: Scale & { unit: string } }): JSX.Element {
  const r = props.reading.value;
  return (
    <span class={`value q-${r.severity}`} data-tag={props.path} data-quality={r.severity}>
      {r.text !== null ? (
        <Data class="value-text">{r.text}</Data>
      ) : (
        <Num>
          <span class="value-number">{fixed(r.value, decimals(props.scale))}</span>
          <span class="unit">{unitText(props.scale.unit)}</span>
        </Num>
      )}
    </span>
  );
}

/** QualityWord says good, uncertain, bad or stale; the full status is in its title. */
export function QualityWord(props: { reading: ReadonlySignal<Reading> }): JSX.Element {
  const r = props.reading.value;
  return (
    <span class={`quality q-${r.severity}`} title={r.status}>
      {t(`quality.${r.severity}`)}
    </span>
  );
}

export function ReadingAge(props: { reading: ReadonlySignal<Reading> }): JSX.Element {
  return <Age at={props.reading.value.at} older={props.reading.value.older} />;
}
