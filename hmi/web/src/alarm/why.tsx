// Why: one open finding with the tags that make it, each with its share, its
// value against the expected one, and the way it went.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { isActive } from "../data/alarmbook.ts";
import { now, tick } from "../data/clock.ts";
import type { Alarm } from "../data/types.ts";
import { LossWords } from "../edge/loss.tsx";
import { percent, short, span, withUnit } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";
import { alarmPath } from "../route.ts";
import { AckButton } from "./ack.tsx";
import { Causes } from "./causes.tsx";
import { Mark, stateText } from "./mark.tsx";
import { compared, Direction, isMeasured, Measure, What, word } from "./words.tsx";

/** How many tags are shown at first: they are sorted, the rest is small. */
const TOP = 6;

/** Contributions are drawn as bars: the share of each tag in the finding. */
export function Contributions(props: { alarm: Alarm }): JSX.Element | null {
  const all = useSignal(false);
  const whole = props.alarm.finding.contributions ?? [];
  if (whole.length === 0) return null;
  const list = all.value ? whole : whole.slice(0, TOP);
  return (
    <div class="contributions-box">
      <table class="contributions">
        <caption class="hidden-text">{t("why.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("why.tag")}</th>
            <th scope="col" class="share-head">
              {t("why.share")}
            </th>
            <th scope="col" class="number">
              {t("why.value")}
            </th>
            <th scope="col" class="number">
              {t("why.expected")}
            </th>
            <th scope="col">{t("why.direction")}</th>
          </tr>
        </thead>
        <tbody>
          {list.map((c, i) => {
            const v = compared(c);
            return (
              <tr key={c.tag} class={i === 0 && isActive(props.alarm) ? `largest p${props.alarm.priority}` : undefined}>
                <th scope="row">
                  <TagName path={c.tag} asset={props.alarm.asset} />
                </th>
                <td class="share">
                  <span class="share-bar" aria-hidden="true">
                    <span class="bar-fill" style={{ inlineSize: `${Math.min(100, Math.max(1, c.share * 100))}%` }} />
                  </span>
                  <Num class="share-text">{percent(c.share)}</Num>
                </td>
                <td class="number">
                  <Num>{withUnit(v.value, c.unit)}</Num>
                </td>
                <td class="number muted">
                  <span class="narrow-label">{t("why.expectedShort")} </span>
                  <Num>{withUnit(v.expected, c.unit)}</Num>
                </td>
                <td>
                  <Direction c={c} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {whole.length > TOP && (
        <button
          type="button"
          class="plain more-tags"
          aria-expanded={all.value}
          onClick={() => {
            all.value = !all.value;
          }}
        >
          {all.value ? t("why.fewer") : t("why.more", { n: whole.length - TOP })}
        </button>
      )}
    </div>
  );
}

/** Facts are the times and names of an alarm. */
export function Facts(props: { alarm: Alarm; long?: boolean }): JSX.Element {
  const a = props.alarm;
  const f = a.finding;
  const when = (at: string) => <Num>{short(Date.parse(at), now())}</Num>;
  return (
    <dl class="facts">
      <div>
        <dt>{t("alarm.raised")}</dt>
        <dd>
          {when(a.raised)} <span class="muted">{t("alarm.ago", { span: span(tick.value - Date.parse(a.raised)) })}</span>
        </dd>
      </div>
      {a.returned && (
        <div>
          <dt>{t("alarm.returned")}</dt>
          <dd>{when(a.returned)}</dd>
        </div>
      )}
      {a.acked && (
        <div>
          <dt>{t("alarm.acked")}</dt>
          <dd>
            {when(a.acked)} {a.acked_by && <Data class="muted">{a.acked_by}</Data>}
          </dd>
        </div>
      )}
      {a.note && (
        <div>
          <dt>{t("alarm.note")}</dt>
          <dd>
            <Data>{a.note}</Data>
          </dd>
        </div>
      )}
      {isMeasured(a) && (
        <div>
          <dt>{t("finding.judged")}</dt>
          <dd>
            <Measure alarm={a} />
          </dd>
        </div>
      )}
      {f.loss && (
        <div>
          <dt>{t("ledger.lost")}</dt>
          <dd>
            <LossWords loss={f.loss} />
          </dd>
        </div>
      )}
      {f.condition && (
        <div>
          <dt>{t("alarm.condition")}</dt>
          <dd>
            <Data>{f.condition}</Data>
          </dd>
        </div>
      )}
      {f.mode && (
        <div>
          <dt>{t("asset.mode")}</dt>
          <dd>
            <Data>{f.mode}</Data>
          </dd>
        </div>
      )}
      <div>
        <dt>{t("finding.detector")}</dt>
        <dd>
          <Data>{word("detector", f.detector)}</Data>
          {f.extrapolated && <span class="muted"> {t("finding.extrapolated")}</span>}
        </dd>
      </div>
      {props.long && (
        <>
          <div>
            <dt>{t("alarm.count")}</dt>
            <dd>
              <Num>{a.count}</Num>
            </dd>
          </div>
          <div>
            <dt>{t("alarm.edge")}</dt>
            <dd>
              <Data>{a.edge || "–"}</Data>
            </dd>
          </div>
        </>
      )}
    </dl>
  );
}

/** Why is an open alarm of an asset on the asset's page. */
export function Why(props: { alarm: Alarm }): JSX.Element {
  const a = props.alarm;
  const f = a.finding;
  return (
    <article class={`why panel p${a.priority} ${a.state}`} aria-labelledby={`why-${a.id}`}>
      <header class="why-head">
        <Mark priority={a.priority} state={a.state} quiet large />
        <div class="why-title">
          <h3 id={`why-${a.id}`}>
            <a href={alarmPath(a.id)}>
              <What alarm={a} />
            </a>
          </h3>
          <p class="muted">{t("alarm.line", { p: a.priority, state: stateText(a.state), class: t(`alarm.class.${a.class}`) })}</p>
        </div>
        <AckButton alarm={a} />
      </header>
      <div class={(f.contributions?.length ?? 0) > 0 ? "why-body" : "why-body brief"}>
        <Facts alarm={a} />
        <div class="why-main">
          <Contributions alarm={a} />
          <Causes id={a.id} heading="h4" />
        </div>
      </div>
    </article>
  );
}
