// The way of the values: edges and the PLCs that they read.

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { LinkMark, linkLook } from "../alarm/link.tsx";
import { now, tick } from "../data/clock.ts";
import { isFresh, usePoll } from "../data/poll.ts";
import type { Edge, EdgeBox, Order } from "../data/types.ts";
import { BacklogTable } from "../edge/backlog.tsx";
import { Broker } from "../edge/broker.tsx";
import { Ledger } from "../edge/ledger.tsx";
import { bytes, fixed, integer, short, span } from "../format.ts";
import { Rich } from "../i18n/rich.tsx";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { setTitle } from "../parts/title.ts";
import { PlcRow } from "../plc/row.tsx";
import { Since } from "../plc/since.tsx";
import { linkText } from "./plant.tsx";

const EVERY = 1000;

export function EdgesPage(): JSX.Element {
  const edges = usePoll<{ edges: Edge[] }>("edges", {}, EVERY);
  const orders = usePoll<{ orders: Order[] }>("orders", {}, 5 * EVERY);
  useEffect(() => setTitle(t("nav.edges")), []);
  const old = !isFresh(edges, EVERY);
  const list = edges.data.value?.edges;
  return (
    <div class="page edges">
      <div class="page-head">
        <h1>{t("nav.edges")}</h1>
        <p class="muted">{t("edges.lead")}</p>
      </div>
      {!list ? (
        edges.error.value ? (
          <Failed problem={edges.error.value} />
        ) : (
          <Loading />
        )
      ) : list.length === 0 ? (
        <Empty title={t("edges.none")} text={t("edges.noneText")} />
      ) : (
        list.map((e) => (
          <EdgeCard key={e.name} edge={e} orders={(orders.data.value?.orders ?? []).filter((o) => o.edge === e.name)} old={old} />
        ))
      )}
    </div>
  );
}

function EdgeCard(props: { edge: Edge; orders: readonly Order[]; old: boolean }): JSX.Element {
  const e = props.edge;
  const look = props.old ? "stale" : linkLook(e.state);
  const waiting = Math.max(0, e.sent - e.acked);
  const clockOff = Math.abs(e.clock_offset_ms) > 1000;
  return (
    <section
      class={`edge panel ${look}${props.old ? " q-stale" : ""}`}
      aria-labelledby={`edge-${e.name}`}
      data-edge={e.name}
      data-link-state={e.state}
    >
      <header class="edge-head">
        <LinkMark state={look} />
        <div>
          <h2 id={`edge-${e.name}`}>
            <Data>{e.name}</Data>
          </h2>
          <p class="muted">
            <Rich k="edges.about" with={{ version: <Num>{e.version || "–"}</Num> }} />
          </p>
        </div>
        <p class="edge-state">
          <strong>{props.old ? t("quality.stale") : linkText(e.state)}</strong>
          <Since since={e.since} />
        </p>
      </header>
      <dl class="edge-figures">
        <Figure label={t("edges.queue")} value={bytes(e.queue_bytes)} note={t("edges.queueText")} />
        <Figure
          label={t("edges.oldest")}
          value={e.oldest ? span(tick.value - Date.parse(e.oldest)) : "–"}
          note={e.oldest ? short(Date.parse(e.oldest), now()) : t("edges.oldestNone")}
        />
        <Figure label={t("edges.sent")} value={integer(e.sent)} note={t("edges.waiting", { n: waiting })} />
        <Figure label={t("edges.acked")} value={integer(e.acked)} note={t("edges.ackedText")} />
        <Figure label={t("edges.declared")} value={integer(e.declared)} note={t("edges.declaredText")} strong={e.declared > 0} />
        <Figure
          label={t("edges.clock")}
          value={t("span.ms", { v: fixed(e.clock_offset_ms, 0) })}
          note={clockOff ? t("edges.clockOff") : t("edges.clockText")}
          strong={clockOff}
        />
        {e.box ? <Swap box={e.box} /> : null}
        {e.unread + e.unread_dropped > 0 && (
          <Figure
            label={t("edges.unread")}
            value={integer(e.unread)}
            note={e.unread_dropped > 0 ? t("edges.unreadDropped", { n: integer(e.unread_dropped) }) : t("edges.unreadText")}
            strong
          />
        )}
      </dl>
      {e.broker && <Broker broker={e.broker} />}
      <Progress edge={e} />
      <Ledger edge={e} />
      {e.queue && <BacklogTable backlog={e.queue} />}
      <h3>{t("edges.plcs")}</h3>
      {(e.plcs ?? []).length === 0 ? (
        <p class="muted">{t("edges.noPlcs")}</p>
      ) : (
        <ul class="plc-list">
          {(e.plcs ?? []).map((p) => (
            <PlcRow
              key={p.name || p.url}
              plc={p}
              edge={e}
              orders={props.orders.filter((o) => o.plc === p.name)}
              old={props.old || e.state === "down"}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

/** Whether a spare could take the place of the box tonight. */
function Swap(props: { box: EdgeBox }): JSX.Element {
  const b = props.box;
  const ready = b.ready.length > 0 && b.number > 0 && !b.old;
  const age = b.saved ? span(tick.value - Date.parse(b.saved)) : "–";
  return (
    <Figure
      label={t("edges.spare")}
      value={ready ? t("edges.spareReady") : t("edges.spareNone")}
      note={b.old ? t("edges.checkpointOld", { age }) : t("edges.checkpoint", { age })}
      strong={!ready}
    />
  );
}

/** Progress is how far the edge is behind while it catches up. */
function Progress(props: { edge: Edge }): JSX.Element | null {
  const e = props.edge;
  if (e.state !== "catching-up" || !e.oldest) return null;
  const done = e.ledger?.done_in_s;
  return (
    <p class="edge-progress">
      {t("edges.behind", { span: span(tick.value - Date.parse(e.oldest)) })}{" "}
      {done === null || done === undefined ? t("edges.doneUnknown") : t("edges.doneIn", { span: span(done * 1000) })}
    </p>
  );
}

function Figure(props: { label: string; value: string; note: string; strong?: boolean }): JSX.Element {
  return (
    <div class={props.strong ? "figure strong" : "figure"}>
      <dt>{props.label}</dt>
      <dd>
        <Num class="figure-value">{props.value}</Num> <span class="figure-of">{props.note}</span>
      </dd>
    </div>
  );
}
