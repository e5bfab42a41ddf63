import type { JSX } from "preact";
import { now, tick } from "../data/clock.ts";
import { short, span } from "../format.ts";
import { Rich } from "../i18n/rich.tsx";
import { Num } from "../parts/data.tsx";

/** Since is from when on something is so, and for how long. */
export function Since(props: { since: string | null }): JSX.Element | null {
  if (!props.since) return null;
  const at = Date.parse(props.since);
  return (
    <span class="muted">
      <Rich k="edges.since" with={{ at: <Num>{short(at, now())}</Num>, span: <Num>{span(tick.value - at)}</Num> }} />
    </span>
  );
}
