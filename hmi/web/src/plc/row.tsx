// A connection to a PLC: its state first, then what somebody has to decide, then
// what it is good to know.

import type { JSX } from "preact";
import { LinkMark, linkLook } from "../alarm/link.tsx";
import { Unsafe } from "../alarm/unsafe.tsx";
import type { Edge, Order, PLC } from "../data/types.ts";
import { fixed, integer } from "../format.ts";
import { t } from "../i18n/text.ts";
import { linkText } from "../pages/plant.tsx";
import { Data, Num } from "../parts/data.tsx";
import { Certificates } from "./certificates.tsx";
import { Details } from "./details.tsx";
import { Orders } from "./orders.tsx";
import { Quarantine } from "./quarantine.tsx";
import { Servers } from "./servers.tsx";
import { Since } from "./since.tsx";

export function PlcRow(props: { plc: PLC; edge: Edge; orders: readonly Order[]; old: boolean }): JSX.Element {
  const p = props.plc;
  const look = props.old ? "stale" : linkLook(p.state);
  return (
    <li class={`plc ${look}`} data-plc={p.name} data-link-state={p.state}>
      <div class="plc-main">
        <LinkMark state={look} />
        <div class="plc-name">
          <h4>
            <Data>{p.name || p.url}</Data>
          </h4>
          <Num class="muted small">{p.url}</Num>
        </div>
        <p class="plc-state">
          <strong>{props.old ? t("quality.stale") : linkText(p.state)}</strong>
          <Since since={p.since} />
        </p>
        <dl class="plc-figures">
          <Fact label={t("edges.tags")} value={integer(p.tags)} />
          <Fact
            label={t("edges.rate")}
            value={t("edges.perSecond", { v: p.values_s < 10 ? fixed(p.values_s, 1) : integer(Math.round(p.values_s)) })}
          />
          <Fact label={t("edges.received")} value={integer(p.received)} />
          <Fact label={t("edges.overflows")} value={integer(p.overflows)} strong={p.overflows > 0} />
        </dl>
      </div>
      {p.reason && (
        <p class="plc-reason">
          <span class="muted">{t("edges.reason")}</span> <Data>{p.reason}</Data>
        </p>
      )}
      {p.exception && <Unsafe text={p.exception} over={p.exception_over} />}
      {p.clock && (
        <p class="plc-reason strong">
          {t("plc.clock")} <Data>{p.clock}</Data>
        </p>
      )}
      {p.conditions > 0 && <p class="plc-reason">{t("plc.conditions", { n: p.conditions })}</p>}
      <Servers servers={p.servers} />
      <Quarantine plc={p} edge={props.edge} />
      <Certificates plc={p} edge={props.edge} />
      <Orders orders={props.orders} />
      <Details plc={p} />
    </li>
  );
}

function Fact(props: { label: string; value: string; strong?: boolean }): JSX.Element {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd class={props.strong ? "strong" : undefined}>
        <Num>{props.value}</Num>
      </dd>
    </div>
  );
}
