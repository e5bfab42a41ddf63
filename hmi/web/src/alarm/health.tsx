import type { JSX } from "preact";
import { percent } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num } from "../parts/data.tsx";

/** Health is a bar from 0 to 100 %: grey what is left, in the colour of the worst active alarm what is lost. */
export function Health(props: { health: number | null; priority: number | null; stale: boolean }): JSX.Element {
  const h = props.health;
  const known = h !== null && Number.isFinite(h);
  const look = props.stale ? " stale" : props.priority ? ` p${props.priority}` : "";
  return (
    <span class={`health${look}`}>
      <span class="health-track" aria-hidden="true">
        {known && <span class="health-fill" style={{ inlineSize: `${Math.round(Math.min(1, Math.max(0, h)) * 100)}%` }} />}
      </span>
      <span class="health-text">
        <span class="hidden-text">{t("asset.health")} </span>
        <Num>{percent(h)}</Num>
        {props.stale && <span class="stale-word"> {t("quality.stale")}</span>}
      </span>
    </span>
  );
}
