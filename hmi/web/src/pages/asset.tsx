// L3: one machine: what is wrong and why, its trends with the learned band, and
// all its tags.

import { type ReadonlySignal, useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Health } from "../alarm/health.tsx";
import { AssetMark, assetStateText } from "../alarm/mark.tsx";
import { Why } from "../alarm/why.tsx";
import { book, openOf } from "../data/alarms.ts";
import { now, tick } from "../data/clock.ts";
import { get } from "../data/http.ts";
import { useLive } from "../data/live.ts";
import { isFresh, usePoll } from "../data/poll.ts";
import { type Alarm, type Asset, type Gap, limitOf, limitOfOpen, type Tag } from "../data/types.ts";
import { fixed, percent, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { setTitle } from "../parts/title.ts";
import { params, setParams } from "../route.ts";
import { parseModel, useLearned } from "../trend/bands.ts";
import { TrendCard } from "../trend/card.tsx";
import { useLabels } from "../trend/labels.ts";
import { ModeStrip } from "../trend/modes.tsx";
import { windowOf, windows } from "../trend/spans.ts";
import { WaveformCard } from "../trend/waveform.tsx";
import { ExportBox } from "./export.tsx";
import { MachineBox } from "./machine.tsx";
import { TagTable } from "./tags.tsx";

const EVERY = 1500;
const scoreAxis = { low: 0, high: 1 };

export function AssetPage(props: { path: string }): JSX.Element {
  const { path } = props;
  const assets = usePoll<{ assets: Asset[] }>("assets", { asset: path }, EVERY);
  const tags = usePoll<{ tags: Tag[] }>("tags", { asset: path, limit: 2000 }, 30_000, (got) => got.tags.length === 0);
  const asset = assets.data.value?.assets.find((a) => a.path === path);
  const name = asset?.name || path;
  useEffect(() => setTitle(name), [name]);

  return (
    <div class="page asset">
      <Crumbs path={path} />
      {asset ? (
        <AssetHead asset={asset} fresh={isFresh(assets, EVERY)} at={assets.at.value} />
      ) : (
        <h1>
          <Data>{path}</Data>
        </h1>
      )}
      {assets.data.value === null ? (
        assets.error.value ? (
          <Failed problem={assets.error.value} />
        ) : (
          <Loading />
        )
      ) : !asset ? (
        <Empty title={t("asset.unknown")} text={t("asset.unknownText")} />
      ) : (
        <AssetBody
          key={path}
          asset={asset}
          tags={tags.data.value?.tags ?? null}
          stale={!isFresh(assets, EVERY) || asset.state === "stale"}
        />
      )}
    </div>
  );
}

function Crumbs(props: { path: string }): JSX.Element {
  const parts = props.path.split("/");
  return (
    <nav class="crumbs" aria-label={t("asset.crumbs")}>
      <ol>
        <li>
          <a href="/">{t("nav.plant")}</a>
        </li>
        {parts.map((p, i) => (
          <li key={parts.slice(0, i + 1).join("/")} aria-current={i === parts.length - 1 ? "page" : undefined}>
            <Num>{p}</Num>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function AssetHead(props: { asset: Asset; fresh: boolean; at: number }): JSX.Element {
  const a = props.asset;
  const stale = !props.fresh || a.state === "stale";
  const abnormal = !stale && (a.state === "alarm" || a.state === "warning" || a.state === "sensor");
  const score = useLive(`${a.path}/$SCORE`).value;
  const health = useLive(`${a.path}/$HEALTH`).value;
  const mode = useLive(`${a.path}/$MODE`).value?.text ?? a.mode;
  void tick.value;
  const age = a.age_ms === null ? Number.NaN : props.fresh ? a.age_ms : a.age_ms + (Date.now() - props.at);
  const m = parseModel(useLive(`${a.path}/$MODEL`).value?.text) ?? a.model;
  return (
    <header class="asset-head">
      <AssetMark asset={a} stale={stale} />
      <div class="asset-title">
        <h1>
          <Data>{a.name || a.path}</Data>
        </h1>
        <p class="muted">
          <Data>{a.class}</Data>
          {a.criticality && (
            <>
              {" · "}
              {t("asset.criticality")} <Num>{a.criticality}</Num>
            </>
          )}
        </p>
      </div>
      <dl class={stale ? "asset-facts q-stale" : "asset-facts"}>
        <div>
          <dt>{t("asset.state")}</dt>
          <dd>{stale ? assetStateText("stale") : assetStateText(a.state)}</dd>
        </div>
        <div class="mode">
          <dt>{t("asset.mode")}</dt>
          <dd>{mode ? <Data>{mode}</Data> : t("asset.noMode")}</dd>
        </div>
        <div class="wide model">
          <dt>{t("asset.model")}</dt>
          <dd>
            {m ? modelText(m.phase) : t("model.none")}
            {m?.phase === "learning" && (
              <span class="progress">
                <span class="progress-track" aria-hidden="true">
                  <span class="progress-fill" style={{ inlineSize: `${Math.round(Math.min(1, m.learned) * 100)}%` }} />
                </span>
                <Num>{percent(m.learned)}</Num>
              </span>
            )}
            {m?.phase === "monitoring" && (score || a.score !== null) && (
              <span class="muted">
                {" "}
                {t("asset.score")} <Num>{fixed(score?.value ?? a.score, 2)}</Num> {t("finding.limit")}{" "}
                <Num>{fixed(m.limit, 2)}</Num>
              </span>
            )}
          </dd>
        </div>
        <div class="wide">
          <dt>{t("asset.health")}</dt>
          <dd>
            <Health
              health={health?.value ?? a.health}
              priority={abnormal && a.state !== "sensor" ? (a.worst?.priority ?? null) : null}
              stale={stale}
            />
          </dd>
        </div>
        <div>
          <dt>{t("asset.newest")}</dt>
          <dd>
            <Num>{Number.isFinite(age) ? span(age) : "–"}</Num> {stale && <span class="stale-word">{t("quality.stale")}</span>}
          </dd>
        </div>
      </dl>
    </header>
  );
}

function modelText(phase: string): string {
  switch (phase) {
    case "learning":
      return t("model.learning");
    case "monitoring":
      return t("model.monitoring");
    case "blind":
      return t("model.blind");
    default:
      return t("model.none");
  }
}

function AssetBody(props: { asset: Asset; tags: Tag[] | null; stale: boolean }): JSX.Element {
  const { asset } = props;
  const window = windowOf(params.value.get("span"));
  const learned = useLearned(asset.path, window.span);
  const gaps = useGaps(asset.path, window.span);
  const labels = useLabels(asset.path, window.span);
  const earliest = useSignal(Number.POSITIVE_INFINITY);
  const open = openOf(asset.path);
  const limit = useRef<number | null>(null);
  limit.current = limitOf(asset) ?? limit.current ?? limitOfOpen(open); // in modes without a model the last one stays drawn
  const marks = [...book.value.values()].filter((a) => a.asset === asset.path);
  const shares = largestShares(open);
  const blamed = new Set(open.map((a) => a.finding.tag));
  const rank = (x: Tag) => Math.max(shares.get(x.path) ?? 0, blamed.has(x.path) ? 1 : 0);
  const measured = (props.tags ?? []).filter((x) => !x.derived && x.asset === asset.path);
  const trends = measured
    .filter((x) => x.kind !== "text" && x.kind !== "waveform")
    .sort((x, y) => rank(y) - rank(x) || order(x) - order(y));
  const bursts = measured.filter((x) => x.kind === "waveform");
  const score = props.tags?.find((x) => x.path === `${asset.path}/$SCORE`);
  return (
    <>
      <section class="whys" aria-labelledby="why-title">
        <h2 id="why-title">{open.length > 0 ? t("why.title") : props.stale ? t("asset.state.stale") : t("why.titleNone")}</h2>
        {open.length === 0 ? (
          <p class="muted">{props.stale ? t("plant.unknown") : noneText(asset)}</p>
        ) : (
          <div class={open.length > 1 ? "why-list several" : "why-list"}>
            {open.map((a) => (
              <Why key={a.id} alarm={a} />
            ))}
          </div>
        )}
      </section>
      <section class="trends" aria-labelledby="trends-title">
        <div class="section-head">
          <h2 id="trends-title">{t("trend.title")}</h2>
          <fieldset class="segments">
            <legend class="hidden-text">{t("trend.window")}</legend>
            {windows.map((w) => (
              <label key={w.key} class={w === window ? "chosen" : undefined}>
                <input
                  type="radio"
                  name="span"
                  value={w.key}
                  checked={w === window}
                  onChange={() => setParams({ span: w.key === "5m" ? "" : w.key })}
                />
                <span>{t(`window.${w.key}`)}</span>
              </label>
            ))}
          </fieldset>
          <ul class="legend">
            <li>
              <span class="key key-line" aria-hidden="true" />
              {t("legend.value")}
            </li>
            <li>
              <span class="key key-band" aria-hidden="true" />
              {t("legend.band")}
            </li>
            <li>
              <span class="key key-hatch" aria-hidden="true" />
              {t("legend.gap")}
            </li>
            <li>
              <span class="key key-label" aria-hidden="true" />
              {t("legend.label")}
            </li>
          </ul>
        </div>
        <ModeStrip learned={learned} window={window} earliest={earliest} />
        {props.tags === null ? (
          <Loading />
        ) : (
          <div class="trend-grid">
            {score && (
              <TrendCard
                tag={{ ...score, description: t("trend.scoreText"), low: 0, high: 1, resolution: 0.01 }}
                title={t("trend.scoreTitle")}
                window={window}
                learned={learned}
                gaps={gaps}
                labels={labels}
                earliest={earliest}
                alarms={marks}
                share={null}
                axis={scoreAxis}
                limit={limit.current}
              />
            )}
            {trends.map((x) => (
              <TrendCard
                key={x.path}
                tag={x}
                window={window}
                learned={learned}
                gaps={gaps}
                labels={labels}
                earliest={earliest}
                alarms={marks.filter((a) => names(a, x.path))}
                share={shares.get(x.path) ?? null}
              />
            ))}
          </div>
        )}
      </section>
      {bursts.length > 0 && (
        <section aria-labelledby="waves-title">
          <h2 id="waves-title">{t("wave.title")}</h2>
          <div class="trend-grid">
            {bursts.map((x) => (
              <WaveformCard key={x.path} tag={x} />
            ))}
          </div>
        </section>
      )}
      <section aria-labelledby="tags-title">
        <h2 id="tags-title">{t("tags.title")}</h2>
        {props.tags && <TagTable tags={measured.filter((x) => x.kind !== "waveform")} asset={asset.path} learned={learned} />}
      </section>
      <MachineBox asset={asset.path} />
      <ExportBox asset={asset.path} />
    </>
  );
}

function noneText(a: Asset): string {
  if (a.model?.phase === "learning") return t("why.learning", { share: percent(a.model.learned) });
  if (a.model?.phase === "blind") return t("why.blind");
  if (a.model?.phase !== "monitoring") return t("why.resting");
  return t("why.none");
}

/** order puts what is measured before what is commanded, in the order of the paths. */
function order(x: Tag): number {
  return x.kind === "analog" ? 0 : x.kind === "setpoint" ? 1 : 2;
}

function names(a: Alarm, tag: string): boolean {
  return a.finding.tag === tag || (a.finding.contributions?.slice(0, 3).some((c) => c.tag === tag) ?? false);
}

/** largestShares is the part of each tag in the open findings. */
function largestShares(open: readonly Alarm[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const a of open) {
    for (const c of a.finding.contributions ?? []) out.set(c.tag, Math.max(out.get(c.tag) ?? 0, c.share));
  }
  return out;
}

/** useGaps follows the declared gaps of an asset's tags in the window. */
function useGaps(asset: string, window: number): ReadonlySignal<readonly Gap[]> {
  const gaps = useSignal<readonly Gap[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    const once = async () => {
      const to = now();
      try {
        const got = await get<{ gaps: Gap[] }>(
          "gaps",
          { from: new Date(to - window).toISOString(), to: new Date(to + 60_000).toISOString(), limit: 10_000 },
          stop.signal,
        );
        gaps.value = got.gaps.filter((g) => g.tag.startsWith(`${asset}/`));
      } catch {
        // the next round brings them
      }
    };
    once();
    const timer = setInterval(once, 5000);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [asset, window, gaps]);
  return useComputed(() => gaps.value);
}
