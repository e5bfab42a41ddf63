// Taking a machine's data away, for people who work with it elsewhere.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { now } from "../data/clock.ts";
import { t } from "../i18n/text.ts";
import { Icon } from "../parts/icons.tsx";
import { windows } from "../trend/spans.ts";

const formats = ["parquet", "csv", "arrow"] as const;
const spans = [...windows, { key: "30d" as const, span: 30 * 86_400_000 }];

export function ExportBox(props: { asset: string }): JSX.Element {
  const format = useSignal<string>("parquet");
  const shape = useSignal<string>("long");
  const span = useSignal<string>("24h");
  const opened = useSignal(now());
  const width = spans.find((s) => s.key === span.value)?.span ?? 86_400_000;
  const q = new URLSearchParams({
    asset: props.asset,
    from: new Date(opened.value - width).toISOString(),
    to: new Date(opened.value).toISOString(),
    format: format.value,
    shape: shape.value,
  });
  const choice = (label: string, value: { value: string }, options: readonly (readonly [string, string])[]) => (
    <label class="field">
      <span class="label">{label}</span>
      <select
        value={value.value}
        onChange={(e) => {
          value.value = e.currentTarget.value;
        }}
      >
        {options.map(([v, text]) => (
          <option key={v} value={v}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <details
      class="export"
      onToggle={() => {
        opened.value = now();
      }}
    >
      <summary>{t("export.title")}</summary>
      <div class="row">
        {choice(
          t("export.span"),
          span,
          spans.map((s) => [s.key, t(`window.${s.key}`)]),
        )}
        {choice(
          t("export.format"),
          format,
          formats.map((f) => [f, t(`export.format.${f}`)]),
        )}
        {choice(t("export.shape"), shape, [
          ["long", t("export.long")],
          ["wide", t("export.wide")],
        ])}
        <a class="button" href={`/api/v1/export?${q}`} download>
          <Icon name="save" />
          <span>{t("export.do")}</span>
        </a>
      </div>
      <p class="muted small">{t("export.text")}</p>
    </details>
  );
}
