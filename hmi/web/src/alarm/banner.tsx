// The alarm banner: on every page, never scrolls away. Counts by priority and
// the most urgent open alarms.

import type { JSX } from "preact";
import { counts, listening, loaded, open } from "../data/alarms.ts";
import { tick } from "../data/clock.ts";
import { link } from "../data/live.ts";
import type { Alarm } from "../data/types.ts";
import { span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num, TagName } from "../parts/data.tsx";
import { alarmPath } from "../route.ts";
import { Mark, stateText } from "./mark.tsx";
import { Said, word } from "./words.tsx";

const TOP = 5;

function Top(props: { alarm: Alarm }): JSX.Element {
  const a = props.alarm;
  const tag = a.finding.tag ?? a.finding.contributions?.[0]?.tag;
  return (
    <li class={`banner-item p${a.priority} ${a.state}`}>
      <a href={alarmPath(a.id)}>
        <Mark priority={a.priority} state={a.state} quiet />
        <span class="banner-text">
          <span class="banner-what">
            <span class="hidden-text">{t("alarm.short", { p: a.priority, state: stateText(a.state) })} </span>
            {a.finding.text ? <Said text={a.finding.text} /> : word("kind", a.finding.kind)} {tag && <TagName path={tag} asset={a.asset} />}
          </span>
          <span class="banner-where">
            <Num>{a.asset}</Num>
            {" · "}
            <Num>{span(tick.value - Date.parse(a.raised))}</Num>
          </span>
        </span>
      </a>
    </li>
  );
}

export function Banner(): JSX.Element {
  const c = counts.value;
  const top = open.value.slice(0, TOP);
  const old = link.value !== "live" || !listening.value;
  return (
    <section class={old && loaded.value ? "banner old" : "banner"} aria-label={t("banner.label")}>
      <ul class="banner-counts">
        {[1, 2, 3, 4].map((p) => {
          const n = c.byPriority[p - 1] ?? 0;
          const active = (c.activeByPriority[p - 1] ?? 0) > 0;
          return (
            <li key={p}>
              <a href={`/alarms?priority=${p}`} class={n > 0 ? "banner-count some" : "banner-count"}>
                <Mark priority={p} state={active ? "acked" : n > 0 ? "rtn_unacked" : "cleared"} quiet calm />
                <span class="hidden-text">{t("banner.count", { p, n })}</span>
                <span aria-hidden="true">
                  <Num>{n}</Num>
                </span>
              </a>
            </li>
          );
        })}
        <li>
          <a href="/alarms?show=unacked" class={c.unacked > 0 ? "banner-count unseen some" : "banner-count unseen"}>
            <Num>{c.unacked}</Num>
            <span>{t("banner.unacked")}</span>
          </a>
        </li>
      </ul>
      {top.length > 0 ? (
        <ul class="banner-top">
          {top.map((a) => (
            <Top key={a.id} alarm={a} />
          ))}
        </ul>
      ) : (
        <p class="banner-none">{loaded.value ? t("banner.none") : t("banner.loading")}</p>
      )}
      {old && loaded.value && <p class="banner-old">{t("banner.old")}</p>}
    </section>
  );
}
