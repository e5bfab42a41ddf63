// What the crew found behind an alarm: an answer that counts for the model's
// precision and for its next training.

import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { coded } from "../crew/words.ts";
import { needsAck } from "../data/alarmbook.ts";
import { acknowledge, fetchAlarm } from "../data/alarms.ts";
import { now } from "../data/clock.ts";
import { asProblem, post, remove } from "../data/http.ts";
import { may } from "../data/me.ts";
import { usePoll } from "../data/poll.ts";
import type { Alarm, Label, Tag, Verdict } from "../data/types.ts";
import { short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Icon } from "../parts/icons.tsx";
import { alarmPath } from "../route.ts";
import { answer, blamed, sensors } from "./answer.ts";

export const verdicts: readonly Verdict[] = ["confirmed", "not_a_fault", "sensor_fault", "process_change", "duplicate"];
const codes = [
  "VIB",
  "NOI",
  "OHE",
  "BRD",
  "ELP",
  "ELU",
  "INL",
  "LOO",
  "PDE",
  "PLU",
  "SER",
  "STD",
  "STP",
  "UST",
  "WEA",
  "MIS",
  "OTH",
];

export function LabelBox(props: { alarm: Alarm }): JSX.Element | null {
  const a = props.alarm;
  const again = useSignal(false);
  if (a.label === undefined) return null; // a server that keeps no answers
  return (
    <section class="label-box" aria-labelledby={`label-${a.id}`}>
      <h3 id={`label-${a.id}`}>{t("label.title")}</h3>
      {a.label && !again.value ? (
        <Given
          label={a.label}
          edit={() => {
            again.value = true;
          }}
        />
      ) : may("label") ? (
        <LabelForm
          alarm={a}
          done={() => {
            again.value = false;
          }}
        />
      ) : (
        <p class="muted">{t("label.none")}</p>
      )}
    </section>
  );
}

function Given(props: { label: Label; edit: () => void }): JSX.Element {
  const l = props.label;
  const said = useSignal("");
  const undo = async () => {
    try {
      await remove(`labels/${l.id}`);
      await fetchAlarm(l.alarm);
    } catch (e) {
      said.value = asProblem(e).message || t("ack.failed");
    }
  };
  return (
    <div class="given" data-verdict={l.verdict}>
      <p>
        <strong>{coded("verdict", l.verdict)}</strong>
        {l.code && (
          <span>
            {" "}
            {"·"} {coded("code", l.code)}
          </span>
        )}
        {l.verdict === "sensor_fault" && l.tag && (
          <span>
            {" "}
            {"·"} <Num>{l.tag}</Num>
          </span>
        )}
        {l.of !== null && l.of > 0 && <a href={alarmPath(l.of)}>{t("message.alarm", { id: String(l.of) })}</a>}
      </p>
      {l.note && (
        <p>
          <Data>{l.note}</Data>
        </p>
      )}
      <p class="muted small">
        <Data>{l.who}</Data> <Num>{short(Date.parse(l.at), now())}</Num> {"·"} <Num>{short(Date.parse(l.from), now())}</Num>
        {" … "}
        <Num>{short(Date.parse(l.to), now())}</Num>
      </p>
      {may("label") && (
        <p class="buttons">
          <button type="button" class="button compact" onClick={props.edit}>
            {t("label.change")}
          </button>
          <button type="button" class="button compact" onClick={undo}>
            <Icon name="undo" />
            <span>{t("label.undo")}</span>
          </button>
        </p>
      )}
      <p role="status">{said.value}</p>
    </div>
  );
}

function LabelForm(props: { alarm: Alarm; done: () => void }): JSX.Element {
  const a = props.alarm;
  const verdict = useSignal<Verdict | "">(a.label?.verdict ?? "");
  const code = useSignal(a.label?.code ?? "");
  const of = useSignal(a.label?.of ? String(a.label.of) : "");
  const tag = useSignal((a.label?.verdict === "sensor_fault" && a.label.tag) || blamed(a));
  const note = useSignal(a.label?.note ?? "");
  const said = useSignal("");
  const send = async (e: Event) => {
    e.preventDefault();
    said.value = t("ack.sending");
    try {
      await post<Label>(`alarms/${a.id}/label`, answer(verdict.value, code.value, of.value, tag.value, note.value));
      // Who says what was found has taken the alarm.
      if (needsAck(a) && may("ack")) await acknowledge(a, note.value.trim());
      await fetchAlarm(a.id);
      said.value = "";
      props.done();
    } catch (err) {
      said.value = asProblem(err).message || t("ack.failed");
    }
  };
  const v = verdict.value;
  return (
    <form class="label-form" onSubmit={send}>
      <fieldset class="verdicts">
        <legend class="muted">{t("label.ask")}</legend>
        {verdicts.map((x) => (
          <label key={x} class={v === x ? "choice chosen" : "choice"}>
            <input
              type="radio"
              name={`verdict-${a.id}`}
              value={x}
              checked={v === x}
              onChange={() => {
                verdict.value = x;
              }}
            />
            <span>{coded("verdict", x)}</span>
          </label>
        ))}
      </fieldset>
      {v === "confirmed" && (
        <label class="field">
          <span class="label">{t("label.code")}</span>
          <select
            required
            value={code.value}
            onChange={(e) => {
              code.value = e.currentTarget.value;
            }}
          >
            <option value="">{"–"}</option>
            {codes.map((c) => (
              <option key={c} value={c}>
                {coded("code", c)}
              </option>
            ))}
          </select>
        </label>
      )}
      {v === "duplicate" && (
        <label class="text-field">
          <span class="label">{t("label.of")}</span>
          <input
            type="number"
            min={1}
            required
            dir="ltr"
            value={of.value}
            onInput={(e) => {
              of.value = e.currentTarget.value;
            }}
          />
        </label>
      )}
      {v === "sensor_fault" && <SensorField asset={a.asset} tag={tag} />}
      {v !== "" && (
        <>
          <label class="text-field">
            <span class="label">{v === "not_a_fault" || v === "process_change" ? t("label.reason") : t("ack.note")}</span>
            <textarea
              rows={2}
              maxLength={1000}
              required={v === "not_a_fault" || v === "process_change"}
              value={note.value}
              onInput={(e) => {
                note.value = e.currentTarget.value;
              }}
            />
          </label>
          <button type="submit" class="button primary">
            <Icon name="check" />
            <span>{t("label.save")}</span>
          </button>
        </>
      )}
      <p role="status">{said.value}</p>
    </form>
  );
}

/** SensorField asks which of the asset's sensors was wrong. */
function SensorField(props: { asset: string; tag: Signal<string> }): JSX.Element {
  const { asset, tag } = props;
  const tags = usePoll<{ tags: Tag[] }>("tags", { asset, limit: 2000 }, 30_000);
  const paths = sensors(asset, tags.data.value?.tags ?? []);
  // A sensor that is no longer there cannot be named.
  useEffect(() => {
    if (tags.data.value && tag.value !== "" && !paths.includes(tag.value)) tag.value = "";
  }, [tags.data.value]);
  return (
    <label class="field">
      <span class="label">{t("label.sensor")}</span>
      <select
        value={tag.value}
        onChange={(e) => {
          tag.value = e.currentTarget.value;
        }}
      >
        <option value="">{"–"}</option>
        {paths.map((p) => (
          <option key={p} value={p}>
            {p.startsWith(`${asset}/`) ? p.slice(asset.length + 1) : p}
          </option>
        ))}
      </select>
    </label>
  );
}
