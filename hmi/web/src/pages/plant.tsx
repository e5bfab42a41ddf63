// L1: all machines, worst first, and the links that their values come over.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Health } from "../alarm/health.tsx";
import { LinkMark, linkLook } from "../alarm/link.tsx";
import { AssetMark, assetStateText, Mark, stateText } from "../alarm/mark.tsx";
import { ScoreLine } from "../alarm/score.tsx";
import { Direction, Measure, What, WhatWorst } from "../alarm/words.tsx";
import { newestFirst } from "../data/alarmbook.ts";
import { book, counts, openOf } from "../data/alarms.ts";
import { now, tick } from "../data/clock.ts";
import { useLive } from "../data/live.ts";
import { isFresh, type Polled, usePoll } from "../data/poll.ts";
import { type Asset, type Edge, limitOf, limitOfOpen, type Health as Works } from "../data/types.ts";
import { bytes, integer, percent, short, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { Icon } from "../parts/icons.tsx";
import { setTitle } from "../parts/title.ts";
import { alarmPath, assetPath } from "../route.ts";

const EVERY = 1500;

/** FLAT is the number of machines up to which they are one list. */
const FLAT = 24;

interface AssetList {
  assets: Asset[];
  next: string | null;
}

export function PlantPage(): JSX.Element {
  const assets = usePoll<AssetList>("assets", { limit: 2000 }, EVERY);
  const edges = usePoll<{ edges: Edge[] }>("edges", {}, EVERY);
  const works = usePoll<Works>("health", {}, 5000);
  const search = useSignal("");
  useEffect(() => setTitle(t("nav.plant")), []);

  const list = assets.data.value?.assets ?? [];
  const needle = search.value.trim().toLowerCase();
  const shown = needle === "" ? list : list.filter((a) => `${a.path} ${a.name} ${a.class}`.toLowerCase().includes(needle));
  const fresh = isFresh(assets, EVERY);
  return (
    <div class="page plant">
      <div class="page-head">
        <h1>{t("nav.plant")}</h1>
        {list.length > 8 && (
          <label class="search">
            <Icon name="search" />
            <span class="hidden-text">{t("plant.search")}</span>
            <input
              type="search"
              placeholder={t("plant.search")}
              value={search.value}
              onInput={(e) => {
                search.value = e.currentTarget.value;
              }}
            />
          </label>
        )}
      </div>
      <Figures assets={assets} edges={edges} />
      <div class="plant-body">
        <section class="assets" aria-label={t("plant.assets")}>
          {assets.data.value === null ? (
            assets.error.value ? (
              <Failed problem={assets.error.value} />
            ) : (
              <Loading />
            )
          ) : list.length === 0 ? (
            <Empty title={t("plant.none")} text={t("plant.noneText")} />
          ) : shown.length === 0 ? (
            <Empty title={t("plant.noMatch")} text={t("plant.noMatchText")} />
          ) : (
            <>
              <div class="asset-row heads" aria-hidden="true">
                <span />
                <span>{t("plant.machine")}</span>
                <span>{t("asset.health")}</span>
                <span>{t("plant.what")}</span>
                <span>{t("plant.score")}</span>
                <span>{t("plant.data")}</span>
              </div>
              {needle === "" && list.length > FLAT ? (
                <ByArea list={list} fresh={fresh} at={assets.at.value} />
              ) : (
                <Rows list={shown} fresh={fresh} at={assets.at.value} />
              )}
            </>
          )}
          <Latest />
        </section>
        <aside class="links panel" aria-labelledby="links-title">
          <h2 id="links-title">{t("plant.links")}</h2>
          <Links edges={edges} />
          <h2>{t("plant.works")}</h2>
          <Roles works={works} />
        </aside>
      </div>
    </div>
  );
}

interface RowsProps {
  list: Asset[];
  fresh: boolean;
  at: number;
}

function Rows(props: RowsProps): JSX.Element {
  return (
    <ol class="asset-list">
      {props.list.map((a) => (
        <AssetRow key={a.path} asset={a} fresh={props.fresh} at={props.at} />
      ))}
    </ol>
  );
}

/** ByArea shows the machines of a large works that have something to say, and the others by area on demand. */
function ByArea(props: RowsProps): JSX.Element {
  const calm = (a: Asset) => a.worst === null && (a.state === "normal" || a.state === "learning");
  const areas = new Map<string, Asset[]>();
  for (const a of props.list.filter(calm)) {
    const area = a.path.split("/", 1)[0] ?? "";
    areas.set(area, [...(areas.get(area) ?? []), a]);
  }
  const names = [...areas.keys()].sort();
  return (
    <>
      <Rows list={props.list.filter((a) => !calm(a))} fresh={props.fresh} at={props.at} />
      {names.length > 0 && <h2 class="areas-head">{t("plant.calm")}</h2>}
      {names.map((name) => (
        <Area key={name} name={name} list={areas.get(name) ?? []} fresh={props.fresh} at={props.at} />
      ))}
    </>
  );
}

function Area(props: RowsProps & { name: string }): JSX.Element {
  const open = useSignal(false);
  const learning = props.list.filter((a) => a.state === "learning").length;
  return (
    <details class="area" open={open.value} onToggle={(e) => (open.value = e.currentTarget.open)}>
      <summary>
        <strong>
          <Data>{props.name}</Data>
        </strong>
        <span class="muted">{t("plant.machines", { n: props.list.length })}</span>
        {learning > 0 && <span class="muted">{t("plant.areaLearning", { n: learning })}</span>}
      </summary>
      {open.value && <Rows list={[...props.list].sort((a, b) => (a.path < b.path ? -1 : 1))} fresh={props.fresh} at={props.at} />}
    </details>
  );
}

function Figures(props: { assets: Polled<AssetList>; edges: Polled<{ edges: Edge[] }> }): JSX.Element {
  const list = props.assets.data.value?.assets;
  const edges = props.edges.data.value?.edges;
  const abnormal = list?.filter((a) => a.state !== "normal" && a.state !== "learning").length;
  const tags = list?.reduce((n, a) => n + a.tags, 0);
  const dead = list?.reduce((n, a) => n + a.stale_tags, 0);
  const rate = edges?.reduce((n, e) => n + (e.plcs ?? []).reduce((m, p) => m + p.values_s, 0), 0);
  const queue = edges?.reduce((n, e) => n + e.queue_bytes, 0);
  const declared = edges?.reduce((n, e) => n + e.declared, 0);
  const old = !isFresh(props.assets, EVERY) || !isFresh(props.edges, EVERY);
  const show = (v: number | undefined, f: (n: number) => string) => (v === undefined ? "–" : f(v));
  const figures = [
    { label: t("figure.abnormal"), value: show(abnormal, integer), of: list ? t("figure.of", { n: list.length }) : "" },
    { label: t("figure.unacked"), value: integer(counts.value.unacked), of: t("figure.open", { n: counts.value.open }) },
    {
      label: t("figure.tags"),
      value: show(tags === undefined || dead === undefined ? undefined : tags - dead, integer),
      of: tags === undefined ? "" : t("figure.of", { n: tags }),
    },
    { label: t("figure.rate"), value: show(rate, (v) => integer(Math.round(v))), of: t("figure.perSecond") },
    { label: t("figure.queue"), value: show(queue, bytes), of: t("figure.queued") },
    { label: t("figure.declared"), value: show(declared, integer), of: t("figure.records") },
  ];
  return (
    <dl class={old ? "figures q-stale" : "figures"}>
      {figures.map((f) => (
        <div class="figure" key={f.label}>
          <dt>{f.label}</dt>
          <dd>
            <Num class="figure-value">{f.value}</Num> <span class="figure-of">{old ? t("quality.stale") : f.of}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function AssetRow(props: { asset: Asset; fresh: boolean; at: number }): JSX.Element {
  const a = props.asset;
  const health = useLive(`${a.path}/$HEALTH`).value;
  const mode = useLive(`${a.path}/$MODE`).value;
  const stale = !props.fresh || a.state === "stale";
  const abnormal = !stale && a.worst && (a.state === "alarm" || a.state === "warning" || a.state === "sensor");
  const limit = useRef<number | null>(null);
  limit.current = limitOf(a) ?? limit.current ?? limitOfOpen(openOf(a.path));
  const h = health && Number.isFinite(health.value) ? health.value : a.health;
  const m = mode?.text ?? a.mode;
  void tick.value;
  const age = a.age_ms === null ? Number.NaN : props.fresh ? a.age_ms : a.age_ms + (Date.now() - props.at);
  return (
    <li
      class={abnormal ? `asset-row abnormal p${a.worst?.priority}` : stale ? "asset-row q-stale" : "asset-row"}
      data-asset={a.path}
      data-state={stale ? "stale" : a.state}
    >
      <span class="asset-mark">
        <AssetMark asset={a} stale={stale} />
      </span>
      <div class="asset-name">
        <h2>
          <a href={assetPath(a.path)}>
            <Data>{a.name || a.path}</Data>
          </a>
        </h2>
        <p class="muted">
          <Num>{a.path}</Num>
        </p>
        <p class="asset-state">
          <strong>{stale ? assetStateText("stale") : assetStateText(a.state)}</strong>
          {m && (
            <>
              {" · "}
              <Data>{m}</Data>
            </>
          )}
        </p>
      </div>
      <div class="asset-health">
        <Health health={h} priority={abnormal && a.state !== "sensor" ? (a.worst?.priority ?? null) : null} stale={stale} />
      </div>
      <div class="asset-what">
        <Reason asset={a} stale={stale} />
      </div>
      <div class="asset-score">
        <ScoreLine asset={a.path} limit={limit.current} priority={abnormal ? (a.worst?.priority ?? null) : null} stale={stale} />
      </div>
      <div class="asset-age">
        <Num class={stale ? "age q-stale" : "age"}>{Number.isFinite(age) ? span(age) : "–"}</Num>
        <span class="muted">
          {stale
            ? t("quality.stale")
            : a.stale_tags > 0
              ? t("plant.staleTags", { n: a.stale_tags })
              : t("plant.tags", { n: a.tags })}
        </span>
      </div>
    </li>
  );
}

/** Reason is the worst open alarm of an asset with the tags that make it. */
function Reason(props: { asset: Asset; stale: boolean }): JSX.Element {
  const w = props.asset.worst;
  if (!w && !props.stale && props.asset.model?.phase === "learning") return <Learning share={props.asset.model.learned} />;
  if (!w) return <p class="muted">{props.stale ? t("plant.unknown") : t("plant.nothing")}</p>;
  const alarm = book.value.get(w.id);
  const parts = alarm?.finding.contributions?.slice(0, 3) ?? [];
  const more = props.asset.alarms - 1;
  return (
    <>
      <p class="reason-head">
        {(w.state === "rtn_unacked" || props.stale) && <Mark priority={w.priority} state={w.state} />}
        <a href={alarmPath(w.id)}>{alarm ? <What alarm={alarm} /> : <WhatWorst worst={w} asset={props.asset.path} />}</a>
        {more > 0 && <span class="muted more">{t("plant.more", { n: more })}</span>}
      </p>
      {parts.length > 0 ? (
        <ul class="reason-parts">
          {parts.map((c) => (
            <li key={c.tag}>
              <TagName path={c.tag} asset={props.asset.path} /> <Num>{percent(c.share)}</Num> <Direction c={c} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="muted reason-parts">
          {alarm && <Measure alarm={alarm} />}
          <span>{t("alarm.ago", { span: span(tick.value - Date.parse(w.raised)) })}</span>
        </p>
      )}
    </>
  );
}

/** Latest is what was raised last, cleared or not. */
function Latest(): JSX.Element | null {
  const list = [...book.value.values()].sort(newestFirst).slice(0, 6);
  if (list.length === 0) return null;
  return (
    <section class="latest" aria-labelledby="latest-title">
      <h2 id="latest-title">{t("plant.latest")}</h2>
      <ol class="panel">
        {list.map((a) => (
          <li key={a.id}>
            <a href={alarmPath(a.id)}>
              <Mark priority={a.priority} state={a.state} quiet />
              <What alarm={a} />
              <span class="latest-where muted">
                <Num>{a.asset}</Num>
              </span>
              <span class="latest-state muted">{stateText(a.state)}</span>
              <Num class="latest-when">{short(Date.parse(a.raised), now())}</Num>
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Learning(props: { share: number }): JSX.Element {
  return (
    <div class="learning">
      <p class="muted">{t("plant.learning")}</p>
      <span class="progress">
        <span class="progress-track" aria-hidden="true">
          <span class="progress-fill" style={{ inlineSize: `${Math.round(Math.min(1, props.share) * 100)}%` }} />
        </span>
        <Num>{percent(props.share)}</Num>
      </span>
    </div>
  );
}

function Links(props: { edges: Polled<{ edges: Edge[] }> }): JSX.Element {
  const edges = props.edges.data.value?.edges;
  const old = !isFresh(props.edges, EVERY);
  if (!edges) return <Loading />;
  if (edges.length === 0) return <p class="muted">{t("edges.none")}</p>;
  return (
    <ul class={old ? "link-list q-stale" : "link-list"}>
      {edges.map((e) => (
        <li key={e.name}>
          <LinkLine kind={t("edges.edge")} name={e.name} state={e.state} since={e.since} reason={null} old={old} />
          <ul>
            {(e.plcs ?? []).map((p) => (
              <li key={p.name || p.url}>
                <LinkLine
                  kind={t("edges.plc")}
                  name={p.name || p.url}
                  state={p.state}
                  since={p.since}
                  reason={p.reason}
                  old={old}
                />
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

export function LinkLine(props: {
  kind: string;
  name: string;
  state: string;
  since: string | null;
  reason: string | null;
  old: boolean;
}): JSX.Element {
  const look = props.old ? "stale" : linkLook(props.state);
  return (
    <a class={`link-line ${look}`} href="/edges" data-link-state={props.state}>
      <LinkMark state={look} />
      <span class="link-name">
        <span class="muted">{props.kind}</span> <Data>{props.name}</Data>
      </span>
      <span class="link-what">
        <span>{props.old ? t("quality.stale") : linkText(props.state)}</span>
        {props.since && <Num class="muted">{span(tick.value - Date.parse(props.since))}</Num>}
      </span>
      {props.reason && (
        <span class="link-reason">
          <Data>{props.reason}</Data>
        </span>
      )}
    </a>
  );
}

export function linkText(state: string): string {
  switch (state.toLowerCase()) {
    case "live":
      return t("edges.state.live");
    case "catching-up":
      return t("edges.state.catching-up");
    case "backfilling":
      return t("edges.state.backfilling");
    case "connecting":
      return t("edges.state.connecting");
    case "stale":
      return t("edges.state.stale");
    case "down":
      return t("edges.state.down");
    default:
      return state;
  }
}

function Roles(props: { works: Polled<Works> }): JSX.Element {
  const w = props.works.data.value;
  if (!w) return <Loading />;
  const old = !isFresh(props.works, 5000);
  return (
    <ul class={old ? "link-list q-stale" : "link-list"}>
      {(w.roles ?? []).map((r) => (
        <li key={r.name}>
          <span class={`link-line ${old ? "stale" : r.state === "running" ? "live" : "down"}`}>
            <LinkMark state={old ? "stale" : r.state === "running" ? "live" : "down"} />
            <span class="link-name">
              <Data>{r.name}</Data>
            </span>
            <span class="link-what">
              {old ? t("quality.stale") : r.state === "running" ? t("role.running") : <Data>{r.state}</Data>}
            </span>
            {r.reason && (
              <span class="link-reason">
                <Data>{r.reason}</Data>
              </span>
            )}
          </span>
        </li>
      ))}
      <li class="works-version muted">
        {t("works.version")} <Num>{w.version}</Num>
      </li>
    </ul>
  );
}
