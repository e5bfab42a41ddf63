// What people and teams have in common in the form: a name, a short name, and a
// way to be removed.

import type { ComponentChildren, JSX } from "preact";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { type Faults, IconButton, TextField } from "./fields.tsx";

interface Named {
  id: string;
  name: string;
}

interface Props<T extends Named> {
  value: T;
  place: string;
  faults: Faults;
  set: (v: T) => void;
  drop: () => void;
  /** the fields that follow in the same row */
  children: ComponentChildren;
}

/** NamedHead is the head of a card and its first row of fields. */
export function NamedHead<T extends Named>(props: Props<T>): JSX.Element {
  const { value: v, place, faults, set } = props;
  return (
    <>
      <div class="card-head">
        <h3>{v.name ? <Data>{v.name}</Data> : t("roster.unnamed")}</h3>
        <IconButton icon="close" label={t("roster.drop", { what: v.name || v.id })} press={props.drop} />
      </div>
      <div class="row">
        <TextField
          label={t("roster.name")}
          place={`${place}.name`}
          faults={faults}
          value={v.name}
          set={(name) => set({ ...v, name })}
        />
        <TextField label={t("roster.id")} place={`${place}.id`} faults={faults} value={v.id} ltr set={(id) => set({ ...v, id })} />
        {props.children}
      </div>
    </>
  );
}
