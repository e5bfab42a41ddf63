// What was told to whom: the log of the outbox, for one alarm or for all.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { now } from "../data/clock.ts";
import { asProblem, type Problem, post } from "../data/http.ts";
import { may } from "../data/me.ts";
import { usePoll } from "../data/poll.ts";
import type { Message } from "../data/types.ts";
import { short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Failed } from "../parts/empty.tsx";
import { Icon } from "../parts/icons.tsx";
import { alarmPath } from "../route.ts";
import { coded } from "./words.ts";

const EVERY = 2000;

export function Messages(props: { alarm?: number; state?: string; limit: number }): JSX.Element | null {
  const query = { alarm: props.alarm, state: props.state, limit: props.limit };
  const list = usePoll<{ messages: Message[] }>("messages", query, EVERY);
  const messages = list.data.value?.messages;
  if (!messages) return list.error.value && list.error.value.status !== 404 ? <Failed problem={list.error.value} /> : null;
  if (messages.length === 0) return <p class="muted">{props.alarm === undefined ? t("messages.none") : t("messages.noneAlarm")}</p>;
  return (
    <ol class="messages">
      {messages.map((m) => (
        <MessageRow key={m.id} message={m} alone={props.alarm !== undefined} />
      ))}
    </ol>
  );
}

function MessageRow(props: { message: Message; alone: boolean }): JSX.Element {
  const m = props.message;
  const trying = useSignal(false);
  const refused = useSignal<Problem | null>(null);
  const retry = async () => {
    trying.value = true;
    refused.value = null;
    try {
      await post(`messages/${m.id}/retry`, {});
    } catch (e) {
      refused.value = asProblem(e);
    }
    trying.value = false;
  };
  const at = m.sent ?? m.due ?? m.created;
  return (
    <li class={`message ${m.state}`} data-message={m.id} data-message-state={m.state}>
      <details>
        <summary>
          <Icon name="down" />
          <span class="message-state">{coded("message.state", m.state)}</span>
          <span class="message-who">
            <Data>{m.person_name || m.person || "–"}</Data>{" "}
            <span class="muted">
              {coded("channel", m.channel)} <Num>{m.address}</Num>
            </span>
          </span>
          <span class="message-what muted">
            {coded("message.purpose", m.purpose)}
            {m.purpose === "alarm" && m.step > 0 && <span> {t("message.step", { n: m.step + 1 })}</span>}
          </span>
          <Num class="message-at muted">{short(Date.parse(at), now())}</Num>
        </summary>
        <div class="message-body">
          {!props.alone && m.alarm !== null && m.alarm > 0 && (
            <p>
              <a href={alarmPath(m.alarm)}>{t("message.alarm", { id: String(m.alarm) })}</a>
            </p>
          )}
          {m.subject && (
            <p class="strong">
              <Data>{m.subject}</Data>
            </p>
          )}
          <pre dir="auto" lang={m.language}>
            <Data>{m.text}</Data>
          </pre>
          {m.reason && (
            <p class="muted">
              {t("message.reason")} <Data>{coded("message.why", m.reason)}</Data>
            </p>
          )}
          {m.error && (
            <p>
              {t("message.error", { n: m.tries })} <Data>{m.error}</Data>
            </p>
          )}
        </div>
      </details>
      {m.state === "dead" && may("ack") && (
        <button type="button" class="button compact" disabled={trying.value} onClick={retry}>
          {t("message.retry")}
        </button>
      )}
      {refused.value && (
        <p class="refused" role="alert">
          <Data>{refused.value.message}</Data>
        </p>
      )}
    </li>
  );
}
