// The roster: edited as a draft, saved as a whole with a reason, and taken back
// by saving an older revision again.

import { batch, signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { type Faults, faultMap } from "../crew/fields.tsx";
import { People } from "../crew/people.tsx";
import { Routes } from "../crew/routes.tsx";
import { Teams } from "../crew/teams.tsx";
import { areas, placeText, warnings } from "../crew/warnings.ts";
import { now } from "../data/clock.ts";
import { asProblem, get, type Problem, put } from "../data/http.ts";
import { may } from "../data/me.ts";
import { usePoll } from "../data/poll.ts";
import type { Asset, Channel, Roster } from "../data/types.ts";
import { short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Empty, Failed, Loading } from "../parts/empty.tsx";
import { Icon } from "../parts/icons.tsx";
import { setTitle } from "../parts/title.ts";

interface Revision {
  revision: number;
  saved: string | null;
  saved_by: string | null;
  note: string | null;
}

const noFaults: Faults = new Map();

// The draft outlives the page: who looks something up elsewhere comes back to it.
const saved = signal<Roster | null>(null);
const draft = signal<Roster | null>(null);

export function RosterPage(): JSX.Element {
  const channels = usePoll<{ channels: Channel[] }>("channels", {}, 60_000);
  const assets = usePoll<{ assets: Asset[] }>("assets", {}, 60_000);
  const revisions = useSignal<readonly Revision[]>([]);
  const problem = useSignal<Problem | null>(null);
  const faults = useSignal<Faults>(noFaults);
  const note = useSignal("");
  const said = useSignal("");
  useEffect(() => setTitle(t("roster.title")), []);

  const load = async (force: boolean) => {
    try {
      const [r, list] = await Promise.all([get<Roster>("roster"), get<{ revisions: Revision[] }>("roster/revisions")]);
      batch(() => {
        const kept = draft.value !== saved.value && !force && draft.value !== null && saved.value?.revision === r.revision;
        saved.value = kept ? saved.value : r;
        if (!kept) draft.value = r;
        revisions.value = list.revisions;
        problem.value = null;
        faults.value = noFaults;
      });
    } catch (e) {
      problem.value = asProblem(e);
    }
  };
  useEffect(() => {
    load(false);
  }, []);

  const changed = draft.value !== saved.value;
  useEffect(() => {
    if (!changed) return;
    const stay = (e: BeforeUnloadEvent) => e.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [changed]);

  const save = async (e: Event) => {
    e.preventDefault();
    const d = draft.value;
    if (!d) return;
    said.value = t("ack.sending");
    try {
      await put<Roster>("roster", {
        revision: saved.value?.revision ?? 0,
        note: note.value.trim(),
        people: d.people,
        teams: d.teams,
        routes: d.routes,
      });
      note.value = "";
      await load(true);
      said.value = t("roster.saved");
    } catch (err) {
      const p = asProblem(err);
      batch(() => {
        faults.value = faultMap(p.faults);
        said.value =
          p.status === 409
            ? t("roster.changed")
            : p.status === 0
              ? t("ack.offline")
              : t("roster.refused", { n: Math.max(1, p.faults.length) });
        if (p.faults.length === 0 && p.status !== 409 && p.status !== 0) said.value = p.message;
      });
      document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    }
  };

  const bring = async (n: number) => {
    try {
      const old = await get<Roster>(`roster/revisions/${n}`);
      batch(() => {
        draft.value = { ...old, revision: saved.value?.revision ?? 0 };
        note.value = t("roster.backTo", { n });
        said.value = t("roster.brought", { n });
      });
    } catch (e) {
      said.value = asProblem(e).message;
    }
  };

  const d = draft.value;
  const set = (part: Partial<Roster>) => {
    if (d) draft.value = { ...d, ...part };
  };
  const warned = d ? warnings(d, channels.data.value?.channels ?? null, assets.data.value?.assets ?? null) : [];
  const zone = d?.teams[0]?.zone || Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div class="page roster">
      <div class="page-head">
        <h1>{t("roster.title")}</h1>
        <p class="muted">{t("roster.lead")}</p>
      </div>
      <p>
        <a class="plain back" href="/oncall">
          <Icon name="back" mirrored />
          <span>{t("nav.oncall")}</span>
        </a>
      </p>
      {!d ? (
        problem.value?.status === 404 ? (
          <Empty title={t("oncall.off")} text={t("oncall.offText")} />
        ) : problem.value ? (
          <Failed problem={problem.value} />
        ) : (
          <Loading />
        )
      ) : (
        <form onSubmit={save} noValidate>
          <fieldset disabled={!may("roster")} class="roster-form">
            <legend class="hidden-text">{t("roster.title")}</legend>
            <datalist id="zones">
              {Intl.supportedValuesOf("timeZone").map((z) => (
                <option key={z} value={z} data-name />
              ))}
            </datalist>
            <datalist id="areas">
              {areas(assets.data.value?.assets ?? []).map((a) => (
                <option key={a} value={a} data-name />
              ))}
            </datalist>
            <People people={d.people} set={(people) => set({ people })} faults={faults.value} zone={zone} />
            <Teams teams={d.teams} people={d.people} set={(teams) => set({ teams })} faults={faults.value} zone={zone} />
            <Routes routes={d.routes} people={d.people} teams={d.teams} set={(routes) => set({ routes })} faults={faults.value} />
          </fieldset>
          {may("roster") && (
            <div class="save-bar">
              <label class="text-field wide">
                <span class="label">{t("roster.why")}</span>
                <input
                  type="text"
                  maxLength={500}
                  value={note.value}
                  onInput={(e) => {
                    note.value = e.currentTarget.value;
                  }}
                />
              </label>
              <button type="button" class="button" disabled={!changed} onClick={() => load(true)}>
                <Icon name="undo" />
                <span>{t("roster.discard")}</span>
              </button>
              <button type="submit" class="button primary" disabled={!changed}>
                <Icon name="check" />
                <span>{t("roster.save")}</span>
              </button>
              <p role="status">{said.value || (changed ? t("roster.unsaved") : "")}</p>
              {warned.length > 0 && (
                <ul class="fault-list" aria-label={t("roster.warnings")}>
                  {warned.map((x) => (
                    <li key={x}>{x}</li>
                  ))}
                </ul>
              )}
              {faults.value.size > 0 && (
                <ul class="fault-list" aria-label={t("roster.faults")}>
                  {[...faults.value].map(([place, what]) => (
                    <li key={place}>
                      {placeText(place)} <Data>{what}</Data>
                    </li>
                  ))}
                </ul>
              )}
            </div>
          )}
        </form>
      )}
      {revisions.value.length > 0 && (
        <section class="panel box" aria-labelledby="revisions-title">
          <h2 id="revisions-title">{t("roster.revisions")}</h2>
          <ol class="revisions">
            {revisions.value.map((r) => (
              <li key={r.revision}>
                <Num>{r.revision}</Num>
                <span>
                  <Data>{r.saved_by ?? ""}</Data> {r.saved && <Num class="muted">{short(Date.parse(r.saved), now())}</Num>}{" "}
                  <Data class="muted">{r.note ?? ""}</Data>
                </span>
                {may("roster") && r.revision !== saved.value?.revision && (
                  <button type="button" class="button compact" onClick={() => bring(r.revision)}>
                    <Icon name="undo" />
                    <span>{t("roster.bring")}</span>
                  </button>
                )}
              </li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}
