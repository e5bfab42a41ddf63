// What it is good to know of a connection when one looks for a cause.

import type { ComponentChildren, JSX } from "preact";
import { now } from "../data/clock.ts";
import type { PLC } from "../data/types.ts";
import { fixed, integer, short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";

export function Details(props: { plc: PLC }): JSX.Element {
  const p = props.plc;
  const l = p.link;
  const thinned = p.deadbands.server + p.deadbands.edge + p.deadbands.none > 0;
  return (
    <>
      {p.stale > 0 && <Tags title={t("plc.stale", { n: p.stale })} tags={p.stale_tags} all={p.stale} />}
      {p.rejected.length > 0 && (
        <Fold title={t("edges.rejected", { n: p.rejected.length })}>
          <ul>
            {p.rejected.map((r) => (
              <li key={r}>
                <Num class="tag">{r}</Num>
              </li>
            ))}
          </ul>
        </Fold>
      )}
      {p.overflowing.length > 0 && (
        <Fold title={t("plc.overflowing", { n: p.overflowing.length })}>
          <ul>
            {p.overflowing.map((o) => (
              <li key={o.tag}>
                <TagName path={o.tag} /> <Num>{integer(o.count)}</Num>
              </li>
            ))}
          </ul>
        </Fold>
      )}
      {p.revised_count > 0 && (
        <Fold title={t("plc.revised", { n: p.revised_count })}>
          <table class="plc-table">
            <thead>
              <tr>
                <th scope="col">{t("edges.tags")}</th>
                <th scope="col">{t("plc.sampling")}</th>
                <th scope="col">{t("plc.queue")}</th>
                <th scope="col">{t("plc.deadband")}</th>
              </tr>
            </thead>
            <tbody>
              {p.revised.map((r) => (
                <tr key={r.tag}>
                  <th scope="row">
                    <TagName path={r.tag} />
                  </th>
                  <td>
                    <Num>{`${fixed(r.sampling_ms, 0)} → ${fixed(r.granted_sampling_ms, 0)} ms`}</Num>
                  </td>
                  <td>
                    <Num>{`${integer(r.queue)} → ${integer(r.granted_queue)}`}</Num>
                  </td>
                  <td>{deadband(r.deadband)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {p.revised_count > p.revised.length && (
            <p class="muted">{t("plc.more", { n: integer(p.revised_count - p.revised.length) })}</p>
          )}
        </Fold>
      )}
      <Fold title={t("plc.link")}>
        <dl class="plc-facts">
          <Fact label={t("plc.rtt")}>{t("span.ms", { v: fixed(l.rtt_ms, 1) })}</Fact>
          {l.publishing_ms > 0 && (
            <Fact label={t("plc.publishing")}>{t("span.ms", { v: `${fixed(l.publishing_ms, 0)} / ${fixed(l.keep_alive_ms, 0)}` })}</Fact>
          )}
          {l.no_pulse && <Fact label={t("plc.noPulse")}>{l.no_pulse}</Fact>}
          <Fact label={t("plc.window")}>{`${integer(l.in_flight)} / ${integer(l.window)}`}</Fact>
          <Fact label={t("plc.connects")}>{integer(l.connects)}</Fact>
          <Fact label={t("plc.sequenceGaps")}>{integer(l.sequence_gaps)}</Fact>
          <Fact label={t("plc.republished")}>{integer(l.republished)}</Fact>
          <Fact label={t("plc.holes")}>{integer(l.holes)}</Fact>
          <Fact label={t("plc.backfilled")}>{integer(l.backfilled)}</Fact>
          {thinned && <Fact label={t("plc.deadbands")}>{`${integer(p.deadbands.server)} / ${integer(p.deadbands.edge)}`}</Fact>}
          {thinned && <Fact label={t("plc.thinned")}>{integer(p.deadbands.thinned)}</Fact>}
        </dl>
        {l.last_error && (
          <p class="small">
            <span class="muted">{t("plc.lastError")}</span>{" "}
            {l.last_error_at && <Num class="muted">{short(Date.parse(l.last_error_at), now())}</Num>} <Data>{l.last_error}</Data>
          </p>
        )}
      </Fold>
    </>
  );
}

// deadband says who applies it.
function deadband(place: string | null): string {
  switch (place) {
    case "server":
    case "edge":
    case "none":
      return t(`plc.deadband.${place}`);
    default:
      return "–";
  }
}

function Fold(props: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <details class="plc-more">
      <summary>{props.title}</summary>
      {props.children}
    </details>
  );
}

function Tags(props: { title: string; tags: readonly string[]; all: number }): JSX.Element {
  return (
    <Fold title={props.title}>
      <ul>
        {props.tags.map((x) => (
          <li key={x}>
            <TagName path={x} />
          </li>
        ))}
      </ul>
      {props.all > props.tags.length && <p class="muted">{t("plc.more", { n: integer(props.all - props.tags.length) })}</p>}
    </Fold>
  );
}

function Fact(props: { label: string; children: string }): JSX.Element {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd>
        <Num>{props.children}</Num>
      </dd>
    </div>
  );
}
