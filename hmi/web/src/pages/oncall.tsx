// Who is told: people on call now, the channels and whether they work, and what
// was sent.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { LinkMark } from "../alarm/link.tsx";
import { Messages } from "../crew/messages.tsx";
import { coded, languages } from "../crew/words.ts";
import { now, tick } from "../data/clock.ts";
import { asProblem, post } from "../data/http.ts";
import { may } from "../data/me.ts";
import { isFresh, usePoll } from "../data/poll.ts";
import type { Channel, OnCall, Roster } from "../data/types.ts";
import { integer, short, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { setTitle } from "../parts/title.ts";
import { params, setParams } from "../route.ts";

const EVERY = 2000;

export function OnCallPage(): JSX.Element {
  const calls = usePoll<{ teams: OnCall[] }>("oncall", {}, EVERY);
  const roster = usePoll<Roster>("roster", {}, 10_000);
  const channels = usePoll<{ channels: Channel[] }>("channels", {}, EVERY);
  useEffect(() => setTitle(t("nav.oncall")), []);
  const missing = calls.error.value?.status === 404;
  const teams = calls.data.value?.teams;
  const dead = params.value.get("messages") === "dead";
  return (
    <div class="page oncall">
      <div class="page-head">
        <h1>{t("nav.oncall")}</h1>
        <p class="muted">{t("oncall.lead")}</p>
      </div>
      {missing ? (
        <Empty title={t("oncall.off")} text={t("oncall.offText")} />
      ) : (
        <>
          <section class="panel box" aria-labelledby="now-title">
            <div class="section-head">
              <h2 id="now-title">{t("oncall.now")}</h2>
              <a class="button" href="/oncall/roster">
                {may("roster") ? t("oncall.edit") : t("oncall.look")}
              </a>
            </div>
            {!teams ? (
              calls.error.value ? (
                <Failed problem={calls.error.value} />
              ) : (
                <Loading />
              )
            ) : teams.length === 0 ? (
              <Empty title={t("oncall.nobody")} text={t("oncall.nobodyText")} />
            ) : (
              <ul class={isFresh(calls, EVERY) ? "team-list" : "team-list old"}>
                {teams.map((x) => (
                  <TeamNow key={x.team} call={x} />
                ))}
              </ul>
            )}
            {roster.data.value && roster.data.value.revision > 0 && (
              <p class="muted small">
                {t("oncall.revision", { n: roster.data.value.revision })} <Data>{roster.data.value.saved_by ?? ""}</Data>{" "}
                {roster.data.value.saved && <Num>{short(Date.parse(roster.data.value.saved), now())}</Num>}
              </p>
            )}
          </section>
          <section class="panel box" aria-labelledby="channels-title">
            <h2 id="channels-title">{t("oncall.channels")}</h2>
            {!channels.data.value ? (
              <Loading />
            ) : channels.data.value.channels.length === 0 ? (
              <Empty title={t("oncall.noChannels")} text={t("oncall.noChannelsText")} />
            ) : (
              <ul class="channel-list">
                {channels.data.value.channels.map((c) => (
                  <ChannelRow key={c.name} channel={c} />
                ))}
              </ul>
            )}
          </section>
          <section class="panel box" aria-labelledby="messages-title">
            <div class="section-head">
              <h2 id="messages-title">{t("messages.title")}</h2>
              <fieldset class="segments">
                <legend class="hidden-text">{t("alarms.show")}</legend>
                {(["", "dead"] as const).map((v) => (
                  <label key={v} class={(v === "dead") === dead ? "chosen" : undefined}>
                    <input
                      type="radio"
                      name="messages"
                      checked={(v === "dead") === dead}
                      onChange={() => setParams({ messages: v })}
                    />
                    <span>{v === "dead" ? t("messages.dead") : t("messages.all")}</span>
                  </label>
                ))}
              </fieldset>
            </div>
            <Messages key={String(dead)} {...(dead ? { state: "dead" } : {})} limit={100} />
          </section>
        </>
      )}
    </div>
  );
}

function TeamNow(props: { call: OnCall }): JSX.Element {
  const c = props.call;
  void tick.value;
  const until = c.until ? Date.parse(c.until) : Number.NaN;
  return (
    <li class="team-now" data-team={c.team}>
      <h3>
        <Data>{c.name || c.team}</Data>
      </h3>
      <p class="team-people">
        {c.people.length === 0 ? (
          <span class="strong">{t("oncall.gap")}</span>
        ) : (
          c.people.map((p) => (
            <Data key={p.id} class="person">
              {p.name || p.id}
            </Data>
          ))
        )}
      </p>
      <p class="muted small">
        {c.override && <span>{t("oncall.override")} </span>}
        {Number.isFinite(until) && (
          <>
            {t("oncall.until")} <Num>{short(until, now())}</Num> <Num class="muted">{span(until - now())}</Num>
          </>
        )}
      </p>
    </li>
  );
}

function ChannelRow(props: { channel: Channel }): JSX.Element {
  const c = props.channel;
  const address = useSignal("");
  const language = useSignal<string>("en");
  const said = useSignal("");
  const test = async (e: Event) => {
    e.preventDefault();
    said.value = t("channel.testing");
    try {
      await post(`channels/${c.name}/test`, { address: address.value.trim(), language: language.value });
      said.value = t("channel.tested");
    } catch (err) {
      said.value = asProblem(err).message || t("shell.failed");
    }
  };
  return (
    <li class="channel-row" data-channel={c.name} data-channel-state={c.state}>
      <LinkMark state={c.state === "failing" ? "down" : c.state === "ok" ? "live" : "connecting"} />
      <div class="channel-name">
        <h3>{coded("channel", c.name)}</h3>
        <Num class="muted small clip">{c.target}</Num>
      </div>
      <p class="channel-state">
        <strong>{coded("channel.state", c.state)}</strong>
        {c.last_sent && (
          <span class="muted small">
            {t("channel.last")} <Num>{short(Date.parse(c.last_sent), now())}</Num>
          </span>
        )}
      </p>
      <dl class="channel-figures">
        <div>
          <dt>{t("channel.sent")}</dt>
          <dd>
            <Num>{integer(c.sent)}</Num>
          </dd>
        </div>
        <div>
          <dt>{t("channel.pending")}</dt>
          <dd>
            <Num>{integer(c.pending)}</Num>
          </dd>
        </div>
        <div>
          <dt>{t("channel.failed")}</dt>
          <dd class={c.failed > 0 ? "strong" : undefined}>
            <Num>{integer(c.failed)}</Num>
          </dd>
        </div>
        <div>
          <dt>{t("channel.dead")}</dt>
          <dd class={c.dead > 0 ? "strong" : undefined}>
            <Num>{integer(c.dead)}</Num>
          </dd>
        </div>
      </dl>
      {c.error && (
        <p class="channel-error">
          <span class="muted">{t("channel.error")}</span> <Data>{c.error}</Data>
        </p>
      )}
      {!c.heartbeat && <p class="channel-error muted">{t("channel.noHeartbeat")}</p>}
      {may("roster") && (
        <details class="channel-test">
          <summary>{t("channel.test")}</summary>
          <form onSubmit={test}>
            <label class="text-field">
              <span class="label">{t("channel.address")}</span>
              <input
                type="text"
                dir="ltr"
                required
                value={address.value}
                onInput={(e) => {
                  address.value = e.currentTarget.value;
                }}
              />
            </label>
            <label class="field">
              <span class="label">{t("roster.language")}</span>
              <select
                value={language.value}
                onChange={(e) => {
                  language.value = e.currentTarget.value;
                }}
              >
                {languages.map((l) => (
                  <option key={l} value={l}>
                    {coded("language", l)}
                  </option>
                ))}
              </select>
            </label>
            <button type="submit" class="button">
              {t("channel.send")}
            </button>
            <p role="status" class="muted">
              {said.value}
            </p>
          </form>
        </details>
      )}
    </li>
  );
}
