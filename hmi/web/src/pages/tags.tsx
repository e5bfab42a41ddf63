// All tags of an asset in numbers: value, unit, quality, age, and where the
// value lies in its range and in the learned band.

import type { JSX } from "preact";
import { useReading } from "../data/reading.ts";
import type { Tag } from "../data/types.ts";
import { brief } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";
import { QualityWord, ReadingAge, Value } from "../parts/reading.tsx";
import type { Learned } from "../trend/bands.ts";

export function TagTable(props: { tags: readonly Tag[]; asset: string; learned: Learned }): JSX.Element {
  return (
    <div class="table-wrap panel">
      <table class="tags">
        <thead>
          <tr>
            <th scope="col">{t("tags.tag")}</th>
            <th scope="col" class="tags-description">
              {t("tags.description")}
            </th>
            <th scope="col" class="number">
              {t("tags.value")}
            </th>
            <th scope="col" class="tags-range">
              {t("tags.range")}
            </th>
            <th scope="col">{t("tags.quality")}</th>
            <th scope="col" class="number">
              {t("tags.age")}
            </th>
          </tr>
        </thead>
        <tbody>
          {props.tags.map((x) => (
            <TagRow key={x.path} tag={x} asset={props.asset} learned={props.learned} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TagRow(props: { tag: Tag; asset: string; learned: Learned }): JSX.Element {
  const { tag } = props;
  const reading = useReading(tag);
  const r = reading.value;
  const m = props.learned.model.value;
  const band = m?.bands?.[tag.path] ?? null;
  return (
    <tr class={`q-${r.severity}`}>
      <th scope="row">
        <TagName path={tag.path} asset={props.asset} />
        <span class="tags-note muted">
          <Data>{tag.description}</Data>
        </span>
      </th>
      <td class="tags-description muted">
        <Data>{tag.description}</Data>
      </td>
      <td class="number">
        <Value path={tag.path} reading={reading} scale={tag} />
      </td>
      <td class="tags-range">
        {tag.low !== null && tag.high !== null && tag.high > tag.low && (
          <RangeBar low={tag.low} high={tag.high} band={band} value={r.value} good={r.severity === "good"} />
        )}
      </td>
      <td>
        <QualityWord reading={reading} />
      </td>
      <td class="number">
        <ReadingAge reading={reading} />
      </td>
    </tr>
  );
}

/** RangeBar is an analogue value in its engineering range, with the learned band. */
function RangeBar(props: {
  low: number;
  high: number;
  band: readonly [number, number] | null;
  value: number;
  good: boolean;
}): JSX.Element {
  const { low, high, band, value } = props;
  const at = (v: number) => Math.min(100, Math.max(0, ((v - low) / (high - low)) * 100));
  const outside = band !== null && (value < band[0] || value > band[1]);
  return (
    <span class="range" dir="ltr">
      <Num class="range-end">{brief(low)}</Num>
      <span class="range-track" aria-hidden="true">
        {band && (
          <span
            class="range-band"
            style={{ insetInlineStart: `${at(band[0])}%`, inlineSize: `${Math.max(1.5, at(band[1]) - at(band[0]))}%` }}
          />
        )}
        {Number.isFinite(value) && (
          <span
            class={outside ? "range-value outside" : props.good ? "range-value" : "range-value doubtful"}
            style={{ insetInlineStart: `${at(value)}%` }}
          />
        )}
      </span>
      <Num class="range-end">{brief(high)}</Num>
      {outside && <span class="hidden-text">{t("tags.outside")}</span>}
    </span>
  );
}
