// Fields of the roster's form. A field whose value the server refused shows why.

import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { Icon, type IconName } from "../parts/icons.tsx";

/** Faults are the server's, by place in the document: "people[0].name". */
export type Faults = ReadonlyMap<string, string>;

/** faultMap reads "place: what" lines. */
export function faultMap(lines: readonly string[]): Faults {
  const out = new Map<string, string>();
  for (const line of lines) {
    const i = line.indexOf(": ");
    const place = i < 0 ? "" : line.slice(0, i);
    const what = i < 0 ? line : line.slice(i + 2);
    out.set(place, out.has(place) ? `${out.get(place)}; ${what}` : what);
  }
  return out;
}

interface Field {
  label: string;
  place: string;
  faults: Faults;
  class?: string;
}

function Fault(props: { id: string; fault: string | undefined }): JSX.Element | null {
  if (!props.fault) return null;
  return (
    <span class="fault" id={props.id}>
      <Data>{props.fault}</Data>
    </span>
  );
}

interface TextProps extends Field {
  value: string;
  set: (v: string) => void;
  type?: "text" | "number" | "time" | "datetime-local";
  min?: number;
  ltr?: boolean;
  hint?: string;
  /** id of a list of proposals */
  list?: string;
}

export function TextField(props: TextProps): JSX.Element {
  const id = useId();
  const control = useId();
  const fault = props.faults.get(props.place);
  const common = {
    id: control,
    value: props.value,
    dir: props.ltr ? ("ltr" as const) : ("auto" as const),
    "aria-invalid": fault ? (true as const) : (false as const),
    "aria-describedby": fault ? id : undefined,
    onInput: (e: { currentTarget: HTMLInputElement }) => props.set(e.currentTarget.value),
  };
  const kind = props.type ?? "text";
  return (
    <div class={props.class ? `text-field ${props.class}` : "text-field"}>
      <label class="label" for={control}>
        {props.label}
      </label>
      {kind === "text" ? (
        <input type="text" placeholder={props.hint ?? ""} list={props.list ?? ""} data-example {...common} />
      ) : kind === "number" ? (
        <input type="number" min={props.min ?? 0} step="any" {...common} />
      ) : (
        <input type={kind} {...common} />
      )}
      <Fault id={id} fault={fault} />
    </div>
  );
}

interface SelectProps extends Field {
  value: string;
  /** the options are names that people gave, not texts of ours */
  names?: boolean;
  options: readonly (readonly [value: string, text: string])[];
  set: (v: string) => void;
}

export function SelectField(props: SelectProps): JSX.Element {
  const id = useId();
  const fault = props.faults.get(props.place);
  const known = props.options.some(([v]) => v === props.value);
  return (
    <label class={props.class ? `field ${props.class}` : "field"}>
      <span class="label">{props.label}</span>
      <select
        value={props.value}
        aria-invalid={fault ? true : undefined}
        aria-describedby={fault ? id : undefined}
        onChange={(e) => props.set(e.currentTarget.value)}
      >
        {!known && <option value={props.value}>{props.value === "" ? "–" : props.value}</option>}
        {props.options.map(([v, text]) => (
          <option key={v} value={v} data-name={props.names}>
            {text}
          </option>
        ))}
      </select>
      <Fault id={id} fault={fault} />
    </label>
  );
}

interface PickProps extends Field {
  names?: boolean;
  value: readonly string[];
  options: readonly (readonly [value: string, text: string])[];
  set: (v: string[]) => void;
  /** what no choice means */
  none: string;
  /** the order counts and a name may stand twice */
  ordered?: boolean;
}

/** PickField chooses several, as chips that are taken away again, in the order of their choice. */
export function PickField(props: PickProps): JSX.Element {
  const name = (v: string) => props.options.find(([o]) => o === v)?.[1] ?? v;
  const rest = props.options.filter(([v]) => props.ordered || !props.value.includes(v));
  const fault = props.faults.get(props.place) ?? props.value.map((_, i) => props.faults.get(`${props.place}[${i}]`)).find(Boolean);
  const id = useId();
  return (
    <fieldset class={props.class ? `pick ${props.class}` : "pick"} aria-describedby={fault ? id : undefined}>
      <legend class="label">{props.label}</legend>
      <div class={props.ordered ? "picked ordered" : "picked"}>
        {props.value.length === 0 && <span class="muted">{props.none}</span>}
        {props.value.map((v, i) => (
          <button
            key={`${v}${i}`}
            type="button"
            class="chip"
            aria-label={t("roster.take", { what: name(v) })}
            onClick={() => props.set(props.value.filter((_, k) => k !== i))}
          >
            <Data>{name(v)}</Data>
            <Icon name="close" />
          </button>
        ))}
        {rest.length > 0 && (
          <label class="field add">
            <span class="hidden-text">{t("roster.addTo", { what: props.label })}</span>
            <select
              value=""
              onChange={(e) => {
                const v = e.currentTarget.value;
                e.currentTarget.value = "";
                if (v !== "") props.set([...props.value, v]);
              }}
            >
              <option value="">{t("roster.add")}</option>
              {rest.map(([v, text]) => (
                <option key={v} value={v} data-name={props.names}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <Fault id={id} fault={fault} />
    </fieldset>
  );
}

export function IconButton(props: { icon: IconName; label: string; press: () => void; disabled?: boolean }): JSX.Element {
  return (
    <button
      type="button"
      class="plain"
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled}
      onClick={props.press}
    >
      <Icon name={props.icon} />
    </button>
  );
}

export function AddButton(props: { label: string; press: () => void }): JSX.Element {
  return (
    <button type="button" class="button compact" onClick={props.press}>
      <Icon name="add" />
      <span>{props.label}</span>
    </button>
  );
}

/** replaced is the list with one element changed. */
export function replaced<T>(list: readonly T[], i: number, v: T): T[] {
  return list.map((x, k) => (k === i ? v : x));
}

export function without<T>(list: readonly T[], i: number): T[] {
  return list.filter((_, k) => k !== i);
}

/** moved is the list with element i moved by one place. */
export function moved<T>(list: readonly T[], i: number, by: number): T[] {
  const out = [...list];
  const [x] = out.splice(i, 1);
  if (x !== undefined) out.splice(Math.max(0, i + by), 0, x);
  return out;
}
