// What waits on an edge's disk, class by class, and for how long there is room.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { tick } from "../data/clock.ts";
import type { Backlog } from "../data/types.ts";
import { bytes, integer, percent, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num } from "../parts/data.tsx";

export function BacklogTable(props: { backlog: Backlog }): JSX.Element {
  const b = props.backlog;
  return (
    <section class="ledger">
      <h3>{t("backlog.title")}</h3>
      {b.full && <p class="strong">{t("backlog.full")}</p>}
      {b.salvage && <p>{t("backlog.salvage")}</p>}
      {b.lost > 0 && <p>{t("backlog.lost", { n: b.lost })}</p>}
      <table class="ledger-table">
        <thead>
          <tr>
            <th scope="col">{t("backlog.class")}</th>
            <th scope="col" class="number">
              {t("backlog.waiting")}
            </th>
            <th scope="col" class="number">
              {t("backlog.oldest")}
            </th>
            <th scope="col" class="number">
              {t("backlog.used")}
            </th>
            <th scope="col" class="number">
              {t("backlog.room")}
            </th>
          </tr>
        </thead>
        <tbody>
          {b.classes.map((c) => (
            <tr key={c.name}>
              <th scope="row">{coded("backlog.of", c.name)}</th>
              <td class="number" data-label={t("backlog.waiting")}>
                <Num>{bytes(c.bytes)}</Num>
              </td>
              <td class="number" data-label={t("backlog.oldest")}>
                <Num>{c.oldest ? span(tick.value - Date.parse(c.oldest)) : "–"}</Num>
              </td>
              <td class={c.state ? "number strong" : "number"} data-label={t("backlog.used")}>
                <Num>{percent(c.fill)}</Num>
              </td>
              <td class="number" data-label={t("backlog.room")}>
                <Num>{c.hours === null ? "–" : span(c.hours * 3_600_000)}</Num>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="small muted">
        {t("backlog.wear", { written: bytes(b.written), syncs: integer(b.syncs), day: b.day_bytes ? bytes(b.day_bytes) : "–" })}
      </p>
    </section>
  );
}
