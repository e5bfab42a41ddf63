// What is lost between an edge and the plant, in words: how much, from when, what
// it means and what to do next.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import type { Loss } from "../data/types.ts";
import { moment, short } from "../format.ts";
import { Rich } from "../i18n/rich.tsx";
import { t } from "../i18n/text.ts";
import { Num } from "../parts/data.tsx";

const classes = ["measured", "derived", "waveforms", "findings", "gaps"] as const;

/** lossText is how much: "2 records: 480 measured values, 3 waveforms". */
export function lossText(l: Loss): string {
  const values = classes.filter((c) => l.values[c]).map((c) => t(`ledger.n.${c}`, { n: Math.abs(l.values[c] ?? 0) }));
  const records = l.records > 0 ? t("ledger.records", { n: l.records }) : "";
  if (values.length === 0) return records;
  return records ? t("ledger.recordsOf", { records, values: values.join(", ") }) : values.join(", ");
}

export function LossWords(props: { loss: Loss }): JSX.Element {
  const l = props.loss;
  return (
    <>
      <p>
        <span class="loss-much">{lossText(l)}</span>
        {l.from && l.to && (
          <span class="muted">
            {" "}
            <Rich
              k="ledger.between"
              with={{ from: <Num>{short(Date.parse(l.from), now())}</Num>, to: <Num>{short(Date.parse(l.to), now())}</Num> }}
            />
          </span>
        )}
      </p>
      <p>{coded("ledger.reason", l.reason)}</p>
      <p>
        <span class="muted">{t("ledger.next")}</span> {coded("ledger.do", l.reason)}
      </p>
      {l.numbers && (
        <p class="small muted">
          <Rich k="ledger.numbers" with={{ numbers: <Num>{l.numbers}</Num>, epoch: <Num>{String(l.epoch)}</Num> }} />
        </p>
      )}
    </>
  );
}

/** at is a moment for notes. */
export function at(time: string | null): string {
  return time ? moment(Date.parse(time)) : "–";
}
