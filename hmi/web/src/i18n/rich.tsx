import type { ComponentChildren, JSX } from "preact";
import { Fragment } from "preact";
import { type Key, type Params, pattern } from "./text.ts";

/** Rich is a text whose names are filled with elements: tags, times, numbers. */
export function Rich<K extends Key>(props: { k: K; n?: number; with: Params<K, ComponentChildren> }): JSX.Element {
  const parts = pattern(props.k, props.n).split(/\{(\w+)\}/);
  const values = props.with as Record<string, ComponentChildren>;
  return (
    <>
      {parts.map((p, i) => (
        <Fragment key={i}>{i % 2 === 0 ? p : values[p]}</Fragment>
      ))}
    </>
  );
}
