// Through which broker an edge speaks, and how long its certificates let it.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import type { Certificate, EdgeBroker } from "../data/types.ts";
import { short } from "../format.ts";
import { Rich } from "../i18n/rich.tsx";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Since } from "../plc/since.tsx";

export function Broker(props: { broker: EdgeBroker }): JSX.Element {
  const b = props.broker;
  const first = soonest(b.certificates);
  return (
    <p class="edge-broker small">
      <Rich k="edges.broker" with={{ url: <Data>{b.url}</Data> }} /> <Since since={b.since} />
      {first?.ends && (
        <span class={first.state === "trusted" ? "muted" : "strong"}>
          {" · "}
          {coded("edges.certificate", first.who)} {coded("plc.certificate", first.state)} {" · "} {t("plc.until", { n: first.days })}{" "}
          <Num>{short(Date.parse(first.ends), now())}</Num>
        </span>
      )}
    </p>
  );
}

/** soonest is the certificate that runs out first. */
export function soonest(list: readonly Certificate[]): Certificate | undefined {
  return list.filter((c) => c.ends).sort((a, b) => Date.parse(a.ends ?? "") - Date.parse(b.ends ?? ""))[0];
}
