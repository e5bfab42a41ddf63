// What was decided about a PLC lately, and how far the edge has carried it out.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { now, tick } from "../data/clock.ts";
import type { Order } from "../data/types.ts";
import { short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";
import { grouped } from "./fingerprint.ts";

const SHOWN = 24 * 3600 * 1000; // ms that a finished one is of interest

export function Orders(props: { orders: readonly Order[] }): JSX.Element | null {
  const fresh = props.orders.filter((o) => o.state === "waiting" || tick.value - Date.parse(o.at) < SHOWN).slice(0, 10);
  if (fresh.length === 0) return null;
  return (
    <section class="plc-part">
      <h5>{t("plc.orders")}</h5>
      <ul class="plc-orders">
        {fresh.map((o) => (
          <li key={o.number}>
            <strong>{coded("plc.order", o.state)}</strong>{" "}
            {o.tag ? (
              <>
                <TagName path={o.tag} /> {coded("plc.release", o.as ?? "")}
              </>
            ) : (
              <>
                {t("plc.trustOf")} <Num>{grouped((o.trust ?? "").slice(0, 16))}</Num>
              </>
            )}{" "}
            <span class="muted">
              <Num>{short(Date.parse(o.at), now())}</Num> <Data>{`${o.who}: ${o.reason}`}</Data>
            </span>
            {o.why && (
              <p class="strong">
                <Data>{o.why}</Data>
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
