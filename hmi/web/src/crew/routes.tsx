// Routes of the roster: which alarms go to whom, and what follows when nobody
// answers.

import type { JSX } from "preact";
import type { AlarmClass, AlertRoute, Person, Step, Team } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { Num } from "../parts/data.tsx";
import { AddButton, type Faults, IconButton, moved, PickField, replaced, SelectField, TextField, without } from "./fields.tsx";
import { freshID } from "./people.tsx";
import { channels, coded } from "./words.ts";

interface Props {
  routes: readonly AlertRoute[];
  people: readonly Person[];
  teams: readonly Team[];
  set: (v: AlertRoute[]) => void;
  faults: Faults;
}

const classes: readonly AlarmClass[] = ["alarm", "plc", "advisory", "sensor", "system"];

export function Routes(props: Props): JSX.Element {
  const { routes, set, faults } = props;
  return (
    <section class="panel box" aria-labelledby="routes-title">
      <div class="section-head">
        <h2 id="routes-title">{t("roster.routes")}</h2>
        <AddButton
          label={t("roster.addRoute")}
          press={() => set([...routes, { id: freshID("r", routes), steps: [{ wait_s: 0 }] }])}
        />
      </div>
      <p class="muted small">{t("roster.routesText")}</p>
      <ol class="cards">
        {routes.map((r, i) => (
          <li key={i} class="card" data-route={r.id}>
            <div class="card-head">
              <h3>
                <Num class="muted">{i + 1}</Num> <Num>{r.area || t("roster.allAreas")}</Num>
              </h3>
              <IconButton icon="up" label={t("roster.up")} disabled={i === 0} press={() => set(moved(routes, i, -1))} />
              <IconButton
                icon="down"
                label={t("roster.down")}
                disabled={i === routes.length - 1}
                press={() => set(moved(routes, i, 1))}
              />
              <IconButton icon="close" label={t("roster.drop", { what: r.id })} press={() => set(without(routes, i))} />
            </div>
            <RouteForm
              route={r}
              people={props.people}
              teams={props.teams}
              place={`routes[${i}]`}
              faults={faults}
              set={(v) => set(replaced(routes, i, v))}
            />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface FormProps {
  route: AlertRoute;
  people: readonly Person[];
  teams: readonly Team[];
  place: string;
  faults: Faults;
  set: (v: AlertRoute) => void;
}

function RouteForm(props: FormProps): JSX.Element {
  const { route: r, place, faults, set } = props;
  return (
    <>
      <div class="row">
        <TextField label={t("roster.id")} place={`${place}.id`} faults={faults} value={r.id} ltr set={(id) => set({ ...r, id })} />
        <TextField
          label={t("roster.area")}
          place={`${place}.area`}
          faults={faults}
          value={r.area ?? ""}
          ltr
          hint="HSM/FM"
          list="areas"
          set={(area) => set({ ...r, area })}
        />
        <SelectField
          label={t("alarms.priority")}
          place={`${place}.priority`}
          faults={faults}
          value={String(r.priority ?? 0)}
          options={[["0", t("alarms.anyPriority")], ...["1", "2", "3", "4"].map((n) => [n, t("roster.upTo", { p: n })] as const)]}
          set={(v) => set({ ...r, priority: Number(v) })}
        />
        <PickField
          label={t("alarms.class")}
          place={`${place}.classes`}
          faults={faults}
          value={r.classes ?? []}
          options={classes.map((c) => [c, t(`alarm.class.${c}`)])}
          none={t("alarms.anyClass")}
          set={(list) => set({ ...r, classes: list as AlarmClass[] })}
        />
        <label class="switch">
          <input type="checkbox" checked={r.mute ?? false} onChange={(e) => set({ ...r, mute: e.currentTarget.checked })} />
          <span>{t("roster.mute")}</span>
        </label>
      </div>
      {!r.mute && (
        <>
          <h4>{t("roster.steps")}</h4>
          <ol class="lines steps">
            {r.steps.map((s, i) => (
              <li key={i}>
                <StepForm
                  step={s}
                  first={i === 0}
                  people={props.people}
                  teams={props.teams}
                  place={`${place}.steps[${i}]`}
                  faults={faults}
                  set={(v) => set({ ...r, steps: replaced(r.steps, i, v) })}
                  drop={() => set({ ...r, steps: without(r.steps, i) })}
                />
              </li>
            ))}
          </ol>
          <div class="row">
            <AddButton label={t("roster.addStep")} press={() => set({ ...r, steps: [...r.steps, { wait_s: 600 }] })} />
            <SelectField
              label={t("roster.repeat")}
              place={`${place}.repeat`}
              faults={faults}
              value={String(r.repeat ?? 0)}
              options={["0", "1", "2", "3", "5"].map((n) => [
                n,
                n === "0" ? t("roster.never") : t("alarm.times", { n: Number(n) }),
              ])}
              set={(v) => set({ ...r, repeat: Number(v) })}
            />
          </div>
        </>
      )}
    </>
  );
}

interface StepProps {
  step: Step;
  first: boolean;
  people: readonly Person[];
  teams: readonly Team[];
  place: string;
  faults: Faults;
  set: (v: Step) => void;
  drop: () => void;
}

function StepForm(props: StepProps): JSX.Element {
  const { step: s, place, faults, set } = props;
  const minutes = (s.wait_s / 60).toFixed(1).replace(/\.0$/, "");
  return (
    <div class="row">
      {props.first ? (
        <p class="at-once">{t("roster.atOnce")}</p>
      ) : (
        <TextField
          label={t("roster.after")}
          place={`${place}.wait_s`}
          faults={faults}
          type="number"
          min={0}
          value={minutes}
          set={(v) => set({ ...s, wait_s: Math.max(0, Math.round(Number(v) * 60) || 0) })}
        />
      )}
      <PickField
        label={t("roster.teams")}
        place={`${place}.teams`}
        faults={faults}
        value={s.teams ?? []}
        options={props.teams.map((x) => [x.id, x.name || x.id])}
        names
        none="–"
        set={(teams) => set({ ...s, teams })}
      />
      <PickField
        label={t("roster.people")}
        place={`${place}.people`}
        faults={faults}
        value={s.people ?? []}
        options={props.people.map((x) => [x.id, x.name || x.id])}
        names
        none="–"
        set={(people) => set({ ...s, people })}
      />
      <PickField
        label={t("oncall.channels")}
        place={`${place}.channels`}
        faults={faults}
        value={s.channels ?? []}
        options={channels.map((c) => [c, coded("channel", c)])}
        none={t("roster.firstContact")}
        set={(list) => set({ ...s, channels: list })}
      />
      <IconButton icon="close" label={t("roster.dropStep")} press={props.drop} />
    </div>
  );
}
