// Models: what runs on each machine, what runs in its shadow, how the two
// differ, and what the crew says of their findings.

import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import { asProblem, get, post } from "../data/http.ts";
import { may } from "../data/me.ts";
import { isFresh, usePoll } from "../data/poll.ts";
import type { AssetModels, Bundle, Precision, Rollout } from "../data/types.ts";
import { bytes, fixed, integer, percent, short } from "../format.ts";
import { known, t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { Icon } from "../parts/icons.tsx";
import { Markdown } from "../parts/markdown.tsx";
import { setTitle } from "../parts/title.ts";
import { assetPath } from "../route.ts";

const EVERY = 3000;
const LEARNED = "learned";

export function ModelsPage(): JSX.Element {
  const rollout = usePoll<Rollout>("models", {}, EVERY);
  const precision = usePoll<{ precision: Precision[] }>("precision", {}, 15_000);
  useEffect(() => setTitle(t("nav.models")), []);
  const r = rollout.data.value;
  const found = precision.data.value?.precision ?? [];
  return (
    <div class="page models">
      <div class="page-head">
        <h1>{t("nav.models")}</h1>
        <p class="muted">{t("models.lead")}</p>
      </div>
      {!r ? (
        rollout.error.value?.status === 404 ? (
          <Empty title={t("models.off")} text={t("models.offText")} />
        ) : rollout.error.value ? (
          <Failed problem={rollout.error.value} />
        ) : (
          <Loading />
        )
      ) : (
        <>
          {!r.ready && (
            <p class="panel box">
              {t("models.notReady")} <Num class="command">{"millwright models init"}</Num>
            </p>
          )}
          <section aria-labelledby="running-title" class={isFresh(rollout, EVERY) ? undefined : "old"}>
            <h2 id="running-title">{t("models.running")}</h2>
            {r.assets.length === 0 ? (
              <Empty title={t("plant.none")} text={t("plant.noneText")} />
            ) : (
              <ul class="cards">
                {r.assets.map((a) => (
                  <AssetCard
                    key={a.asset}
                    models={a}
                    bundles={r.bundles.filter((b) => b.asset === a.asset)}
                    precision={found.filter((p) => p.asset === a.asset)}
                    ready={r.ready}
                  />
                ))}
              </ul>
            )}
          </section>
          <section class="panel box" aria-labelledby="bundles-title">
            <h2 id="bundles-title">{t("models.bundles")}</h2>
            {r.bundles.length === 0 ? (
              <Empty title={t("models.noBundles")} text={t("models.noBundlesText")} />
            ) : (
              <ul class="cards">
                {r.bundles.map((b) => (
                  <BundleCard key={b.id} bundle={b} />
                ))}
              </ul>
            )}
          </section>
          {r.history.length > 0 && (
            <section class="panel box" aria-labelledby="history-title">
              <h2 id="history-title">{t("models.history")}</h2>
              <ol class="revisions">
                {r.history.map((h) => (
                  <li key={`${h.at}${h.action}${h.bundle}`}>
                    <Num class="muted">{short(Date.parse(h.at), now())}</Num>
                    <span>
                      <strong>{coded("rollout", h.action)}</strong> <Num>{h.bundle}</Num> <Data>{(h.assets ?? []).join(", ")}</Data>{" "}
                      <Data class="muted">{[h.who, h.reason].filter(Boolean).join(": ")}</Data>
                    </span>
                  </li>
                ))}
              </ol>
            </section>
          )}
        </>
      )}
    </div>
  );
}

interface CardProps {
  models: AssetModels;
  bundles: readonly Bundle[];
  precision: readonly Precision[];
  ready: boolean;
}

function AssetCard(props: CardProps): JSX.Element {
  const m = props.models;
  const running = m.status?.running ?? null;
  const behind = running !== null && running !== m.wanted;
  return (
    <li class="panel card model-card" data-models={m.asset}>
      <header class="card-head">
        <div>
          <h3>
            <a href={assetPath(m.asset)}>
              <Data>{m.name || m.asset}</Data>
            </a>
          </h3>
          <p class="muted small">
            <Num>{m.asset}</Num>
          </p>
        </div>
      </header>
      <dl class="model-facts">
        <div>
          <dt>{t("models.runs")}</dt>
          <dd>
            <ModelName id={running ?? m.wanted} />
            {behind && (
              <p class="small strong">
                {t("models.wanted")} <ModelName id={m.wanted} />
              </p>
            )}
          </dd>
        </div>
        <div>
          <dt>{t("models.shadow")}</dt>
          <dd>{m.shadow ? <ModelName id={m.shadow} /> : <span class="muted">{t("models.noShadow")}</span>}</dd>
        </div>
        <div>
          <dt>{t("models.drift")}</dt>
          <dd>
            {m.drift ? (
              <>
                {coded("drift", m.drift.state)} <Num class="muted">{t("models.psi", { v: fixed(m.drift.psi, 2) })}</Num>
              </>
            ) : (
              <span class="muted">{t("models.noDrift")}</span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t("models.compare")}</dt>
          <dd>
            {m.compare ? (
              <span class="compare">
                <span>
                  {t("models.both")} <Num>{integer(m.compare.both)}</Num>
                </span>
                <span>
                  {t("models.onlyActive")} <Num>{integer(m.compare.only_active)}</Num>
                </span>
                <span>
                  {t("models.onlyShadow")} <Num>{integer(m.compare.only_shadow)}</Num>
                </span>
              </span>
            ) : (
              <span class="muted">{"–"}</span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t("models.precision")}</dt>
          <dd>
            {props.precision.length === 0 ? (
              <span class="muted">{"–"}</span>
            ) : (
              props.precision.map((p) => (
                <p key={p.detector}>
                  {coded("detector", p.detector)} <Num>{p.share === null ? "–" : percent(p.share)}</Num>{" "}
                  <span class="muted small">{t("models.labelled", { n: p.labelled, of: p.alarms })}</span>
                </p>
              ))
            )}
          </dd>
        </div>
      </dl>
      {m.status?.fallback && (
        <p class="strong">
          {t("models.fallback")} <Data>{m.status.fallback}</Data>
        </p>
      )}
      {m.status?.refused && (
        <p class="strong">
          {t("models.refused")} <Data>{m.status.refused}</Data>
        </p>
      )}
      {props.ready && may("models") && <Actions models={m} bundles={props.bundles} />}
    </li>
  );
}

function ModelName(props: { id: string }): JSX.Element {
  if (props.id === LEARNED || props.id === "") return <span>{t("models.learned")}</span>;
  return <Num class="model-id">{props.id}</Num>;
}

type Action = "shadow" | "promote" | "rollback";

function Actions(props: { models: AssetModels; bundles: readonly Bundle[] }): JSX.Element {
  const m = props.models;
  const action = useSignal<Action | null>(null);
  const chosen = useSignal("");
  const reason = useSignal("");
  const said = useSignal("");
  const ordered = useSignal(false);
  const taken = m.status !== null && m.status.running === m.wanted && (m.status.shadow ?? "") === (m.shadow ?? "");
  useEffect(() => {
    if (!ordered.value || !taken) return;
    ordered.value = false;
    said.value = t("models.taken");
  }, [taken, m.wanted, m.shadow]);
  const begin = (a: Action, id: string) => {
    action.value = a;
    chosen.value = id;
    said.value = "";
  };
  const send = async (e: Event) => {
    e.preventDefault();
    said.value = t("ack.sending");
    const body: Record<string, unknown> = { assets: [m.asset], reason: reason.value.trim() };
    if (action.value !== "rollback") body["id"] = chosen.value;
    try {
      await post<Rollout>(`models/${action.value}`, body);
      ordered.value = true;
      said.value = t("models.done");
      action.value = null;
      reason.value = "";
    } catch (err) {
      said.value = asProblem(err).message || t("ack.failed");
    }
  };
  return (
    <div class="model-actions">
      {action.value === null ? (
        <p class="buttons">
          {props.bundles.length > 0 && (
            <button type="button" class="button" onClick={() => begin("shadow", m.shadow ?? props.bundles[0]?.id ?? "")}>
              {t("models.doShadow")}
            </button>
          )}
          {(props.bundles.length > 0 || m.wanted !== LEARNED) && (
            <button type="button" class="button" onClick={() => begin("promote", m.shadow ?? props.bundles[0]?.id ?? LEARNED)}>
              <Icon name="up" />
              <span>{t("models.doPromote")}</span>
            </button>
          )}
          {m.shadow && (
            <button type="button" class="button" onClick={() => begin("shadow", "")}>
              {t("models.endShadow")}
            </button>
          )}
          {m.previous !== null && m.previous !== "" && (
            <button type="button" class="button" onClick={() => begin("rollback", m.previous ?? "")}>
              <Icon name="undo" />
              <span>{t("models.doRollback")}</span>
            </button>
          )}
        </p>
      ) : (
        <form onSubmit={send} class="row">
          {action.value !== "rollback" ? (
            <BundleChoice action={action.value} bundles={props.bundles} chosen={chosen} />
          ) : (
            <div class="field">
              <span class="label">{t("models.bundle")}</span>
              <span class="back-to">
                <ModelName id={chosen.value} />
              </span>
            </div>
          )}
          <label class="text-field wide">
            <span class="label">{t("models.reason")}</span>
            <input
              type="text"
              maxLength={500}
              required={action.value !== "shadow"}
              value={reason.value}
              onInput={(e) => {
                reason.value = e.currentTarget.value;
              }}
            />
          </label>
          <button type="submit" class="button primary">
            {action.value === "shadow"
              ? t("models.doShadow")
              : action.value === "promote"
                ? t("models.doPromote")
                : t("models.doRollback")}
          </button>
          <button
            type="button"
            class="button"
            onClick={() => {
              action.value = null;
            }}
          >
            {t("models.cancel")}
          </button>
        </form>
      )}
      <p role="status">{said.value}</p>
    </div>
  );
}

function BundleChoice(props: { action: Action; bundles: readonly Bundle[]; chosen: Signal<string> }): JSX.Element {
  return (
    <label class="field">
      <span class="label">{t("models.bundle")}</span>
      <select
        value={props.chosen.value}
        onChange={(e) => {
          props.chosen.value = e.currentTarget.value;
        }}
      >
        {props.action === "promote" && <option value={LEARNED}>{t("models.learned")}</option>}
        {props.action === "shadow" && <option value="">{t("models.noShadow")}</option>}
        {props.bundles.map((b) => (
          <option key={b.id} value={b.id}>
            {b.id}
          </option>
        ))}
      </select>
    </label>
  );
}

function BundleCard(props: { bundle: Bundle }): JSX.Element {
  const b = props.bundle;
  const report = useSignal<string | null>(null);
  const said = useSignal("");
  const look = async () => {
    if (report.value !== null) {
      report.value = null;
      return;
    }
    try {
      report.value = (await get<{ markdown: string }>(`models/${encodeURIComponent(b.id)}/report`)).markdown;
    } catch (e) {
      said.value = asProblem(e).message;
    }
  };
  return (
    <li class="card" data-bundle={b.id}>
      <div class="card-head">
        <div>
          <h3>
            <Num class="model-id">{b.id}</Num>
          </h3>
          <p class="muted small">
            <Data>{b.asset}</Data> {"·"} <Data>{b.author}</Data> {"·"} <Num>{bytes(b.size)}</Num>
          </p>
        </div>
        <button type="button" class="button compact" aria-expanded={report.value !== null} onClick={look}>
          {t("models.report")}
        </button>
      </div>
      <p class="small">
        {t("models.trained", { rows: integer(b.rows) })}{" "}
        {b.from && b.to && (
          <Num>
            {short(Date.parse(b.from), now())} {"…"} {short(Date.parse(b.to), now())}
          </Num>
        )}{" "}
        <span class="muted">{t("models.budget", { v: fixed(b.budget, 1) })}</span>
      </p>
      {b.metrics && Object.keys(b.metrics).length > 0 && (
        <dl class="metrics">
          {Object.entries(b.metrics).map(([k, v]) => (
            <div key={k}>
              <dt>{known(`metric.${k}`) ? coded("metric", k) : <Num>{k}</Num>}</dt>
              <dd>
                <Num>{v === null ? "–" : fixed(v, Number.isInteger(v) ? 0 : 2)}</Num>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <p role="status">{said.value}</p>
      {report.value !== null && <Markdown text={report.value} />}
    </li>
  );
}
