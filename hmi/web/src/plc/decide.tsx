// A decision about a PLC, with its reason. The plant signs it, and the edge
// carries it out.

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { asProblem, post } from "../data/http.ts";
import { may } from "../data/me.ts";
import type { Edge, PLC } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { Num } from "../parts/data.tsx";

interface Props {
  plc: PLC;
  edge: Edge;
  /** what can be decided, by the word on its button */
  choices: readonly Choice[];
  /** what somebody on the box types instead */
  command: string;
  /** what to look at before; shown with the form */
  children?: ComponentChildren;
}

export interface Choice {
  label: string;
  about: string;
  order: { trust: string } | { tag: string; as: string };
}

export function Decide(props: Props): JSX.Element | null {
  const choice = useSignal<Choice | null>(null);
  const reason = useSignal("");
  const said = useSignal("");
  if (!props.edge.orders) {
    return (
      <p class="small muted">
        {t("plc.onTheBox")} <Num class="command">{props.command}</Num>
      </p>
    );
  }
  if (!may("orders")) return <p class="small muted">{t("plc.engineers")}</p>;
  const send = async (e: Event) => {
    e.preventDefault();
    const c = choice.value;
    if (!c) return;
    said.value = t("ack.sending");
    try {
      await post("orders", { edge: props.edge.name, plc: props.plc.name, reason: reason.value.trim(), ...c.order });
      said.value = t("plc.ordered");
      choice.value = null;
      reason.value = "";
    } catch (err) {
      said.value = asProblem(err).message;
    }
  };
  const c = choice.value;
  return (
    <div class="decide">
      {c === null ? (
        <p class="buttons">
          {props.choices.map((x) => (
            <button
              key={x.label}
              type="button"
              class="button compact"
              onClick={() => {
                choice.value = x;
                said.value = "";
              }}
            >
              {x.label}
            </button>
          ))}
        </p>
      ) : (
        <form onSubmit={send}>
          <p>{c.about}</p>
          {props.children}
          <div class="row">
            <label class="text-field wide">
              <span class="label">{t("models.reason")}</span>
              <input
                type="text"
                maxLength={500}
                required
                value={reason.value}
                onInput={(e) => {
                  reason.value = e.currentTarget.value;
                }}
              />
            </label>
            <button type="submit" class="button primary">
              {c.label}
            </button>
            <button
              type="button"
              class="button"
              onClick={() => {
                choice.value = null;
              }}
            >
              {t("models.cancel")}
            </button>
          </div>
        </form>
      )}
      <p role="status">{said.value}</p>
    </div>
  );
}
