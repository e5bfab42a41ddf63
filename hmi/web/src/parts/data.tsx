// Data inside texts: isolated from the direction of the text around it.

import type { ComponentChildren, JSX } from "preact";
import { tick } from "../data/clock.ts";
import { span } from "../format.ts";
import { t } from "../i18n/text.ts";

/** Data is a name or a note from outside, in its own direction. */
export function Data(props: { children: ComponentChildren; class?: string | undefined }): JSX.Element {
  return <bdi class={props.class}>{props.children}</bdi>;
}

/** Num is a number, a unit, a time or an address: left to right, in one line. */
export function Num(props: { children: ComponentChildren; class?: string | undefined }): JSX.Element {
  return (
    <bdi dir="ltr" class={props.class ? `num ${props.class}` : "num"}>
      {props.children}
    </bdi>
  );
}

/** TagName is a tag's path, without the part that is the asset's where that is given. */
export function TagName(props: { path: string; asset?: string; class?: string | undefined }): JSX.Element {
  const own = props.asset && props.path.startsWith(`${props.asset}/`);
  return (
    <bdi dir="ltr" class={props.class ? `tag ${props.class}` : "tag"} title={props.path}>
      {own ? props.path.slice((props.asset ?? "").length + 1) : props.path}
    </bdi>
  );
}

/** Age counts from a source time on; nothing where the time is unknown. */
export function Age(props: { at: number; older?: boolean }): JSX.Element {
  if (!Number.isFinite(props.at)) return <Num class="age">{"–"}</Num>;
  const text = span(tick.value - props.at);
  return <Num class="age">{props.older ? t("span.more", { span: text }) : text}</Num>;
}
