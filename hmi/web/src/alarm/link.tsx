// The state of a link: filled while it lives, hollow while it is being made,
// crossed and coloured when it is away.

import type { JSX } from "preact";

export type LinkLook = "live" | "connecting" | "catching-up" | "stale" | "down";

/** linkLook maps the states of edges and PLCs to what is drawn. */
export function linkLook(state: string): LinkLook {
  switch (state.toLowerCase()) {
    case "live":
      return "live";
    case "catching-up":
    case "backfilling":
      return "catching-up";
    case "connecting":
      return "connecting";
    case "stale":
      return "stale";
    default:
      return "down";
  }
}

export function LinkMark(props: { state: LinkLook }): JSX.Element {
  const s = props.state;
  return (
    <span class={`link-mark ${s}`} aria-hidden="true">
      <svg viewBox="0 0 20 20" focusable="false" aria-hidden="true">
        <circle cx="10" cy="10" r="6.5" />
        {s === "down" && <path d="M6 6l8 8M14 6l-8 8" />}
        {s === "stale" && <path d="M10 6.2v4.6M10 13.4v.4" />}
        {s === "catching-up" && <path d="M10 13.5V6.8M7.2 9.4L10 6.6l2.8 2.8" />}
      </svg>
    </span>
  );
}
