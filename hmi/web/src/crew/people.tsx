// People of the roster: names, languages, contacts, quiet hours.

import type { JSX } from "preact";
import type { Contact, Person } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { AddButton, type Faults, IconButton, moved, replaced, SelectField, TextField, without } from "./fields.tsx";
import { NamedHead } from "./named.tsx";
import { channels, coded, languages } from "./words.ts";

interface Props {
  people: readonly Person[];
  set: (v: Person[]) => void;
  faults: Faults;
  zone: string;
}

export function People(props: Props): JSX.Element {
  const { people, set, faults } = props;
  const add = () =>
    set([...people, { id: freshID("p", people), name: "", language: "en", contacts: [{ channel: "mail", address: "" }] }]);
  return (
    <section class="panel box" aria-labelledby="people-title">
      <div class="section-head">
        <h2 id="people-title">{t("roster.people")}</h2>
        <AddButton label={t("roster.addPerson")} press={add} />
      </div>
      <p class="muted small">{t("roster.peopleText")}</p>
      <ul class="cards">
        {people.map((p, i) => (
          <li key={i} class="card" data-person={p.id}>
            <PersonForm
              person={p}
              place={`people[${i}]`}
              faults={faults}
              zone={props.zone}
              set={(v) => set(replaced(people, i, v))}
              drop={() => set(without(people, i))}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

interface FormProps {
  person: Person;
  place: string;
  faults: Faults;
  zone: string;
  set: (v: Person) => void;
  drop: () => void;
}

function PersonForm(props: FormProps): JSX.Element {
  const { person: p, place, faults, set } = props;
  const quiet = p.quiet;
  return (
    <>
      <NamedHead value={p} place={place} faults={faults} set={set} drop={props.drop}>
        <SelectField
          label={t("roster.language")}
          place={`${place}.language`}
          faults={faults}
          value={p.language}
          options={languages.map((l) => [l, coded("language", l)])}
          set={(language) => set({ ...p, language })}
        />
        <TextField
          label={t("roster.account")}
          place={`${place}.user`}
          faults={faults}
          value={p.user ?? ""}
          ltr
          set={(user) => set({ ...p, user })}
        />
      </NamedHead>
      <h4>{t("roster.contacts")}</h4>
      <ul class="lines">
        {p.contacts.map((c, i) => (
          <li key={i} class="row">
            <SelectField
              label={t("roster.channel")}
              place={`${place}.contacts[${i}].channel`}
              faults={faults}
              value={c.channel}
              options={channels.map((x) => [x, coded("channel", x)])}
              set={(channel) => set({ ...p, contacts: replaced(p.contacts, i, { ...c, channel }) })}
            />
            <TextField
              label={t("channel.address")}
              class="wide"
              place={`${place}.contacts[${i}].address`}
              faults={faults}
              value={c.address}
              ltr
              hint={hint(c)}
              set={(address) => set({ ...p, contacts: replaced(p.contacts, i, { ...c, address }) })}
            />
            <IconButton
              icon="up"
              label={t("roster.up")}
              disabled={i === 0}
              press={() => set({ ...p, contacts: moved(p.contacts, i, -1) })}
            />
            <IconButton
              icon="close"
              label={t("roster.dropContact")}
              press={() => set({ ...p, contacts: without(p.contacts, i) })}
            />
          </li>
        ))}
      </ul>
      <div class="row">
        <AddButton
          label={t("roster.addContact")}
          press={() => set({ ...p, contacts: [...p.contacts, { channel: "sms", address: "" }] })}
        />
        <label class="switch">
          <input
            type="checkbox"
            checked={quiet !== undefined}
            onChange={(e) => {
              const { quiet: _, ...rest } = p;
              set(e.currentTarget.checked ? { ...rest, quiet: { from: "22:00", to: "06:00", zone: props.zone, passes: 1 } } : rest);
            }}
          />
          <span>{t("roster.quiet")}</span>
        </label>
      </div>
      {quiet && (
        <div class="row">
          <TextField
            label={t("roster.from")}
            place={`${place}.quiet.from`}
            faults={faults}
            type="time"
            value={quiet.from}
            set={(from) => set({ ...p, quiet: { ...quiet, from } })}
          />
          <TextField
            label={t("roster.to")}
            place={`${place}.quiet.to`}
            faults={faults}
            type="time"
            value={quiet.to}
            set={(to) => set({ ...p, quiet: { ...quiet, to } })}
          />
          <TextField
            label={t("roster.zone")}
            place={`${place}.quiet.zone`}
            faults={faults}
            value={quiet.zone}
            ltr
            list="zones"
            set={(zone) => set({ ...p, quiet: { ...quiet, zone } })}
          />
          <SelectField
            label={t("roster.passes")}
            place={`${place}.quiet.passes`}
            faults={faults}
            value={String(quiet.passes)}
            options={["1", "2", "3"].map((n) => [n, t("roster.upTo", { p: n })])}
            set={(v) => set({ ...p, quiet: { ...quiet, passes: Number(v) } })}
          />
        </div>
      )}
    </>
  );
}

function hint(c: Contact): string {
  return { sms: "+923001234567", mail: "name@works.example", ntfy: "topic", webhook: "cmms" }[c.channel] ?? "";
}

/** freshID is an id that nobody has. */
export function freshID(prefix: string, list: readonly { id: string }[]): string {
  for (let n = list.length + 1; ; n++) {
    const id = `${prefix}${n}`;
    if (!list.some((x) => x.id === id)) return id;
  }
}
