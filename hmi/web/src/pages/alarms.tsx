// The alarm list: filters, states, acknowledging, and the detail of one alarm
// beside it (on a phone: instead of it).

import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { AckButton, AckForm, Refused } from "../alarm/ack.tsx";
import { Causes } from "../alarm/causes.tsx";
import { LabelBox } from "../alarm/label.tsx";
import { Mark, stateText } from "../alarm/mark.tsx";
import { Contributions, Facts } from "../alarm/why.tsx";
import { Measure, What } from "../alarm/words.tsx";
import { Messages } from "../crew/messages.tsx";
import { type Filter, matches, needsAck, newestFirst, type Show } from "../data/alarmbook.ts";
import { book, counts, fetchAlarm, listening, loaded } from "../data/alarms.ts";
import { now, tick } from "../data/clock.ts";
import { link } from "../data/live.ts";
import type { Alarm, AlarmClass } from "../data/types.ts";
import { short, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Loading } from "../parts/empty.tsx";
import { Icon } from "../parts/icons.tsx";
import { setTitle } from "../parts/title.ts";
import { alarmPath, assetPath, params, setParams } from "../route.ts";

const shows: readonly Show[] = ["open", "unacked", "active", "cleared", "all"];
const classes: readonly AlarmClass[] = ["alarm", "plc", "advisory", "sensor", "system"];
/** Rows that are drawn; the filters find the rest. */
const MOST = 300;

function filterOf(q: URLSearchParams): Filter {
  const show = shows.find((s) => s === q.get("show")) ?? "open";
  const cls = classes.find((c) => c === q.get("class")) ?? "";
  return { show, priority: Number(q.get("priority")) || 0, class: cls, asset: q.get("asset") ?? "", text: q.get("q") ?? "" };
}

export function AlarmsPage(props: { id: number | null }): JSX.Element {
  const filter = filterOf(params.value);
  const all = book.value;
  const list = useMemo(
    () => [...all.values()].filter((a) => matches(a, filter)).sort(newestFirst),
    [all, filter.show, filter.priority, filter.class, filter.asset, filter.text],
  );
  const chosen = props.id === null ? null : (all.get(props.id) ?? null);
  useEffect(() => setTitle(t("nav.alarms")), []);
  const old = link.value !== "live" || !listening.value;
  const query = location.search;
  return (
    <div class={props.id === null ? "page alarms" : "page alarms with-detail"}>
      <div class="page-head">
        <h1>{t("nav.alarms")}</h1>
        <p class="muted">{loaded.value ? t("alarms.counts", { open: counts.value.open, unacked: counts.value.unacked }) : ""}</p>
      </div>
      <Filters filter={filter} />
      <div class="alarms-body">
        <section class={old && loaded.value ? "alarm-list panel old" : "alarm-list panel"} aria-label={t("alarms.list")}>
          {!loaded.value ? (
            <Loading />
          ) : list.length === 0 ? (
            <Empty title={t("alarms.none")} text={filter.show === "open" ? t("alarms.noneText") : t("alarms.noMatch")} />
          ) : (
            <table class="alarm-table">
              <thead>
                <tr>
                  <th scope="col">
                    <span class="hidden-text">{t("alarms.priority")}</span>
                  </th>
                  <th scope="col">{t("alarms.what")}</th>
                  <th scope="col">{t("alarms.state")}</th>
                  <th scope="col">{t("alarms.class")}</th>
                  <th scope="col">{t("finding.judged")}</th>
                  <th scope="col">{t("alarm.raised")}</th>
                  <th scope="col">
                    <span class="hidden-text">{t("ack.do")}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.slice(0, MOST).map((a) => (
                  <AlarmRow key={a.id} alarm={a} chosen={a.id === props.id} query={query} />
                ))}
              </tbody>
            </table>
          )}
          {list.length > MOST && <p class="muted more-rows">{t("alarms.more", { n: list.length - MOST })}</p>}
        </section>
        {props.id !== null && <Detail id={props.id} alarm={chosen} query={query} />}
      </div>
    </div>
  );
}

function Filters(props: { filter: Filter }): JSX.Element {
  const f = props.filter;
  return (
    <search class="filters">
      <fieldset class="segments">
        <legend class="hidden-text">{t("alarms.show")}</legend>
        {shows.map((s) => (
          <label key={s} class={f.show === s ? "chosen" : undefined}>
            <input
              type="radio"
              name="show"
              value={s}
              checked={f.show === s}
              onChange={() => setParams({ show: s === "open" ? "" : s })}
            />
            <span>{t(`alarms.show.${s}`)}</span>
          </label>
        ))}
      </fieldset>
      <label class="field">
        <span class="hidden-text">{t("alarms.priority")}</span>
        <select
          value={String(f.priority)}
          onChange={(e) => setParams({ priority: e.currentTarget.value === "0" ? "" : e.currentTarget.value })}
        >
          <option value="0">{t("alarms.anyPriority")}</option>
          {[1, 2, 3, 4].map((p) => (
            <option key={p} value={String(p)}>
              {t("alarm.priority", { p })}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span class="hidden-text">{t("alarms.class")}</span>
        <select value={f.class} onChange={(e) => setParams({ class: e.currentTarget.value })}>
          <option value="">{t("alarms.anyClass")}</option>
          {classes.map((c) => (
            <option key={c} value={c}>
              {t(`alarm.class.${c}`)}
            </option>
          ))}
        </select>
      </label>
      <label class="search">
        <Icon name="search" />
        <span class="hidden-text">{t("alarms.search")}</span>
        <input
          type="search"
          placeholder={t("alarms.search")}
          value={f.text}
          onInput={(e) => setParams({ q: e.currentTarget.value })}
        />
      </label>
      {f.asset !== "" && (
        <button type="button" class="chip" onClick={() => setParams({ asset: "" })} aria-label={t("alarms.anyAsset")}>
          <Num>{f.asset}</Num>
          <Icon name="close" />
        </button>
      )}
    </search>
  );
}

function AlarmRow(props: { alarm: Alarm; chosen: boolean; query: string }): JSX.Element {
  const a = props.alarm;
  return (
    <tr class={`alarm-row p${a.priority} ${a.state}${props.chosen ? " chosen" : ""}`} data-alarm={a.id} data-alarm-state={a.state}>
      <td class="cell-mark">
        <Mark priority={a.priority} state={a.state} />
      </td>
      <td class="cell-what">
        <a href={alarmPath(a.id) + props.query} aria-current={props.chosen ? "true" : undefined} class="row-link">
          <What alarm={a} />
        </a>
        <span class="muted">
          <Num>{a.asset}</Num>
          {a.count > 1 && <span class="count"> {t("alarm.times", { n: a.count })}</span>}
        </span>
        {!props.chosen && <Refused id={a.id} />}
      </td>
      <td class="cell-state">
        {stateText(a.state)}
        {a.acked_by && !needsAck(a) && (
          <span class="muted">
            <Data>{a.acked_by}</Data>
          </span>
        )}
      </td>
      <td class="cell-class">{t(`alarm.class.${a.class}`)}</td>
      <td class="cell-measure">
        <Measure alarm={a} />
      </td>
      <td class="cell-raised">
        <Num>{short(Date.parse(a.raised), now())}</Num>
        <span class="muted">{t("alarm.ago", { span: span(tick.value - Date.parse(a.raised)) })}</span>
      </td>
      <td class="cell-ack">
        <AckButton alarm={a} compact />
      </td>
    </tr>
  );
}

function Detail(props: { id: number; alarm: Alarm | null; query: string }): JSX.Element {
  const a = props.alarm;
  useEffect(() => {
    if (!a && loaded.value) fetchAlarm(props.id).catch(() => {});
  }, [props.id, a]);
  return (
    <aside class={a ? `alarm-detail panel p${a.priority} ${a.state}` : "alarm-detail panel"} aria-label={t("alarms.detail")}>
      <div class="detail-bar">
        <a class="plain back" href={`/alarms${props.query}`}>
          <Icon name="back" mirrored />
          <span>{t("alarms.back")}</span>
        </a>
        <a class="plain shut" href={`/alarms${props.query}`} aria-label={t("alarms.close")} title={t("alarms.close")}>
          <Icon name="close" />
        </a>
      </div>
      {!a ? (
        loaded.value ? (
          <Empty title={t("alarms.unknown")} text={t("alarms.unknownText")} />
        ) : (
          <Loading />
        )
      ) : (
        <>
          <header class="detail-head">
            <Mark priority={a.priority} state={a.state} quiet large />
            <div>
              <h2>
                <What alarm={a} />
              </h2>
              <p class="muted">
                {t("alarm.line", { p: a.priority, state: stateText(a.state), class: t(`alarm.class.${a.class}`) })}
              </p>
            </div>
          </header>
          <p>
            <a class="to-asset" href={assetPath(a.asset)}>
              <Num>{a.asset}</Num>
              <Icon name="forward" mirrored />
            </a>
          </p>
          <AckForm alarm={a} />
          {(a.finding.contributions?.length ?? 0) > 0 && (
            <>
              <h3>{t("why.title")}</h3>
              <Contributions alarm={a} />
            </>
          )}
          <Causes id={a.id} heading="h3" />
          <LabelBox key={a.id} alarm={a} />
          <Facts alarm={a} long />
          <Told id={a.id} />
          {a.class === "plc" && <p class="muted small">{t("alarm.plcText")}</p>}
          {a.class === "advisory" && <p class="muted small">{t("alarm.advisoryText")}</p>}
        </>
      )}
    </aside>
  );
}

/** Told is who was told of an alarm. */
function Told(props: { id: number }): JSX.Element {
  return (
    <section class="told" aria-labelledby={`told-${props.id}`}>
      <h3 id={`told-${props.id}`}>{t("messages.title")}</h3>
      <Messages alarm={props.id} limit={50} />
    </section>
  );
}
