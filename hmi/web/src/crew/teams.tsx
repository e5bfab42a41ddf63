// Teams of the roster: who takes turns with whom, and who stands in.

import type { JSX } from "preact";
import type { Override, Person, Rotation, Team } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { AddButton, type Faults, IconButton, PickField, replaced, SelectField, TextField, without } from "./fields.tsx";
import { NamedHead } from "./named.tsx";
import { freshID } from "./people.tsx";
import { coded } from "./words.ts";

interface Props {
  teams: readonly Team[];
  people: readonly Person[];
  set: (v: Team[]) => void;
  faults: Faults;
  zone: string;
}

const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export function Teams(props: Props): JSX.Element {
  const { teams, set, faults } = props;
  const add = () => set([...teams, { id: freshID("t", teams), name: "", zone: props.zone, rotations: [turn()] }]);
  return (
    <section class="panel box" aria-labelledby="teams-title">
      <div class="section-head">
        <h2 id="teams-title">{t("roster.teams")}</h2>
        <AddButton label={t("roster.addTeam")} press={add} />
      </div>
      <p class="muted small">{t("roster.teamsText")}</p>
      <ul class="cards">
        {teams.map((x, i) => (
          <li key={i} class="card" data-team={x.id}>
            <TeamForm
              team={x}
              people={props.people}
              place={`teams[${i}]`}
              faults={faults}
              set={(v) => set(replaced(teams, i, v))}
              drop={() => set(without(teams, i))}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** turn is a rotation that begins today at six. */
function turn(): Rotation {
  return { people: [], start: `${localDay(new Date())}T06:00`, hours: 24 };
}

function localDay(d: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/** local is a moment as a field of date and time takes it. */
function local(iso: string): string {
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return "";
  const two = (n: number) => String(n).padStart(2, "0");
  return `${localDay(d)}T${two(d.getHours())}:${two(d.getMinutes())}`;
}

/** moment is the other way round; empty where the field is. */
function moment(field: string): string {
  const d = new Date(field);
  return Number.isNaN(d.getTime()) ? "" : d.toISOString().replace(/\.\d+Z$/, "Z");
}

interface FormProps {
  team: Team;
  people: readonly Person[];
  place: string;
  faults: Faults;
  set: (v: Team) => void;
  drop: () => void;
}

function TeamForm(props: FormProps): JSX.Element {
  const { team, place, faults, set } = props;
  const names = props.people.map((p) => [p.id, p.name || p.id] as const);
  const overrides = team.overrides ?? [];
  return (
    <>
      <NamedHead value={team} place={place} faults={faults} set={set} drop={props.drop}>
        <TextField
          label={t("roster.zone")}
          place={`${place}.zone`}
          faults={faults}
          value={team.zone}
          ltr
          list="zones"
          set={(zone) => set({ ...team, zone })}
        />
      </NamedHead>
      <h4>{t("roster.rotations")}</h4>
      <ul class="lines">
        {team.rotations.map((r, i) => (
          <li key={i}>
            <RotationForm
              rotation={r}
              names={names}
              place={`${place}.rotations[${i}]`}
              faults={faults}
              set={(v) => set({ ...team, rotations: replaced(team.rotations, i, v) })}
              drop={() => set({ ...team, rotations: without(team.rotations, i) })}
            />
          </li>
        ))}
      </ul>
      <AddButton label={t("roster.addRotation")} press={() => set({ ...team, rotations: [...team.rotations, turn()] })} />
      <h4>{t("roster.overrides")}</h4>
      <ul class="lines">
        {overrides.map((o, i) => (
          <li key={i}>
            <OverrideForm
              override={o}
              names={names}
              place={`${place}.overrides[${i}]`}
              faults={faults}
              set={(v) => set({ ...team, overrides: replaced(overrides, i, v) })}
              drop={() => set({ ...team, overrides: without(overrides, i) })}
            />
          </li>
        ))}
      </ul>
      <AddButton
        label={t("roster.addOverride")}
        press={() => {
          const from = new Date();
          const to = new Date(from.getTime() + 8 * 3_600_000);
          set({
            ...team,
            overrides: [...overrides, { person: "", from: moment(from.toISOString()), to: moment(to.toISOString()) }],
          });
        }}
      />
    </>
  );
}

type Names = readonly (readonly [string, string])[];

interface RotationProps {
  rotation: Rotation;
  names: Names;
  place: string;
  faults: Faults;
  set: (v: Rotation) => void;
  drop: () => void;
}

function RotationForm(props: RotationProps): JSX.Element {
  const { rotation: r, place, faults, set } = props;
  return (
    <div class="row">
      <PickField
        label={t("roster.turns")}
        class="whole"
        place={`${place}.people`}
        faults={faults}
        value={r.people}
        options={props.names}
        names
        none={t("oncall.gap")}
        ordered
        set={(people) => set({ ...r, people })}
      />
      <TextField
        label={t("roster.start")}
        place={`${place}.start`}
        faults={faults}
        type="datetime-local"
        value={r.start}
        set={(start) => set({ ...r, start })}
      />
      <SelectField
        label={t("roster.length")}
        place={`${place}.hours`}
        faults={faults}
        value={String(r.hours)}
        options={[8, 12, 24, 48, 168].map((h) => [String(h), h < 168 ? t("span.h", { v: h }) : t("roster.week")])}
        set={(v) => set({ ...r, hours: Number(v) })}
      />
      <TextField
        label={t("roster.from")}
        place={`${place}.from`}
        faults={faults}
        type="time"
        value={r.from ?? ""}
        set={(from) => set({ ...r, from })}
      />
      <TextField
        label={t("roster.to")}
        place={`${place}.to`}
        faults={faults}
        type="time"
        value={r.to ?? ""}
        set={(to) => set({ ...r, to })}
      />
      <PickField
        label={t("roster.days")}
        place={`${place}.days`}
        faults={faults}
        value={r.days ?? []}
        options={days.map((d) => [d, coded("day", d)])}
        none={t("roster.everyDay")}
        set={(list) => set({ ...r, days: list })}
      />
      <IconButton icon="close" label={t("roster.dropRotation")} press={props.drop} />
    </div>
  );
}

interface OverrideProps {
  override: Override;
  names: Names;
  place: string;
  faults: Faults;
  set: (v: Override) => void;
  drop: () => void;
}

function OverrideForm(props: OverrideProps): JSX.Element {
  const { override: o, place, faults, set } = props;
  return (
    <div class="row">
      <SelectField
        label={t("roster.standIn")}
        place={`${place}.person`}
        faults={faults}
        value={o.person}
        options={props.names}
        names
        set={(person) => set({ ...o, person })}
      />
      <TextField
        label={t("roster.from")}
        place={`${place}.from`}
        faults={faults}
        type="datetime-local"
        value={local(o.from)}
        set={(v) => set({ ...o, from: moment(v) })}
      />
      <TextField
        label={t("roster.to")}
        place={`${place}.to`}
        faults={faults}
        type="datetime-local"
        value={local(o.to)}
        set={(v) => set({ ...o, to: moment(v) })}
      />
      <TextField
        label={t("alarm.note")}
        place={`${place}.note`}
        faults={faults}
        value={o.note ?? ""}
        set={(note) => set({ ...o, note })}
      />
      <IconButton icon="close" label={t("roster.dropOverride")} press={props.drop} />
    </div>
  );
}
