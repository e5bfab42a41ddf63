// Acknowledging: one press, or with a note. What the server refuses stays
// visible with its reason.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { needsAck } from "../data/alarmbook.ts";
import { acknowledge, dismissTry, tries } from "../data/alarms.ts";
import { may } from "../data/me.ts";
import type { Alarm } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";
import { Icon } from "../parts/icons.tsx";

function refusal(status: number): string {
  switch (status) {
    case 0:
      return t("ack.offline");
    case 403:
      return t("ack.forbidden");
    case 404:
      return t("ack.gone");
    case 409:
      return t("ack.changed");
    default:
      return t("ack.failed");
  }
}

/** Refused says why the last try on this alarm did not pass. */
export function Refused(props: { id: number }): JSX.Element | null {
  const tried = tries.value.get(props.id);
  if (tried?.state !== "refused") return null;
  return (
    <p class="refused" role="alert">
      <span>
        <strong>{refusal(tried.status)}</strong> {tried.status !== 0 && <Data class="muted">{tried.detail}</Data>}
      </span>
      <button type="button" class="plain" onClick={() => dismissTry(props.id)} aria-label={t("ack.dismiss")}>
        <Icon name="close" />
      </button>
    </p>
  );
}

export function AckButton(props: { alarm: Alarm; compact?: boolean }): JSX.Element | null {
  const a = props.alarm;
  if (!needsAck(a) || !may("ack")) return null;
  const sending = tries.value.get(a.id)?.state === "sending";
  const label = sending ? t("ack.sending") : t("ack.do");
  return (
    <div class="ack">
      <button
        type="button"
        class={props.compact ? "button compact" : "button"}
        disabled={sending}
        onClick={(e) => {
          e.stopPropagation();
          acknowledge(a, "");
        }}
      >
        <Icon name="check" />
        <span>{label}</span>
      </button>
      {!props.compact && <Refused id={a.id} />}
    </div>
  );
}

/** AckForm is acknowledging with a note, in the detail of an alarm. */
export function AckForm(props: { alarm: Alarm }): JSX.Element | null {
  const note = useSignal("");
  const a = props.alarm;
  if (!needsAck(a)) return null;
  if (!may("ack")) return <p class="muted">{t("ack.forbidden")}</p>;
  const sending = tries.value.get(a.id)?.state === "sending";
  return (
    <form
      class="ack-form"
      onSubmit={async (e) => {
        e.preventDefault();
        if (await acknowledge(a, note.value.trim())) note.value = "";
      }}
    >
      <label>
        <span class="label">{t("ack.note")}</span>
        <textarea
          rows={2}
          maxLength={1000}
          value={note.value}
          onInput={(e) => {
            note.value = e.currentTarget.value;
          }}
        />
      </label>
      <button type="submit" class="button primary" disabled={sending}>
        <Icon name="check" />
        <span>{sending ? t("ack.sending") : t("ack.do")}</span>
      </button>
      <Refused id={a.id} />
    </form>
  );
}
