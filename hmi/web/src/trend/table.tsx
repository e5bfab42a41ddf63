import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Tag } from "../data/types.ts";
import { decimals, fixed, moment, percent, unitText } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num, TagName } from "../parts/data.tsx";
import { Icon } from "../parts/icons.tsx";
import type { Rolling } from "./rolling.ts";

const PAGE = 20;

/** TrendTable is the trend in numbers, newest first, as it was when it was opened. */
export function TrendTable(props: { tag: Tag; rolling: Rolling }): JSX.Element {
  const page = useSignal(0);
  const rows = useSignal([...props.rolling.slices].reverse());
  const places = decimals(props.tag);
  const pages = Math.max(1, Math.ceil(rows.value.length / PAGE));
  const part = rows.value.slice(page.value * PAGE, (page.value + 1) * PAGE);
  return (
    <div class="trend-table">
      <table class="numbers">
        <caption>
          <TagName path={props.tag.path} /> <Num class="muted">{unitText(props.tag.unit)}</Num>
        </caption>
        <thead>
          <tr>
            <th scope="col">{t("trend.time")}</th>
            <th scope="col" class="number">
              {t("trend.mean")}
            </th>
            <th scope="col" class="number">
              {t("trend.min")}
            </th>
            <th scope="col" class="number">
              {t("trend.max")}
            </th>
            <th scope="col" class="number">
              {t("trend.good")}
            </th>
          </tr>
        </thead>
        <tbody>
          {part.map((s) => (
            <tr key={s.at}>
              <th scope="row">
                <Num>{moment(s.at)}</Num>
              </th>
              <td class="number">
                <Num>{fixed(s.mean, places)}</Num>
              </td>
              <td class="number">
                <Num>{fixed(s.min, places)}</Num>
              </td>
              <td class="number">
                <Num>{fixed(s.max, places)}</Num>
              </td>
              <td class="number">
                <Num>{percent(s.all === 0 ? null : s.good / s.all)}</Num>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="pager">
        <button type="button" class="plain" disabled={page.value === 0} aria-label={t("trend.newer")} onClick={() => page.value--}>
          <Icon name="back" mirrored />
        </button>
        <span>{t("trend.page", { page: page.value + 1, pages })}</span>
        <button
          type="button"
          class="plain"
          disabled={page.value >= pages - 1}
          aria-label={t("trend.older")}
          onClick={() => page.value++}
        >
          <Icon name="forward" mirrored />
        </button>
      </div>
    </div>
  );
}
