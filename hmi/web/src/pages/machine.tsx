// What the asset file says of a machine: for who stands before it, or has to order a part.

import type { ComponentChildren, JSX } from "preact";
import { usePoll } from "../data/poll.ts";
import type { Machine, Origin } from "../data/types.ts";
import { brief, readable, withUnit } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num, TagName } from "../parts/data.tsx";

/** ms between two looks: it changes when an edge is started anew */
const EVERY = 60_000;

export function MachineBox(props: { asset: string }): JSX.Element | null {
  const m = usePoll<Machine>("machine", { asset: props.asset }, EVERY).data.value;
  if (!m || isBare(m)) return null;
  return (
    <details class="export machine">
      <summary>{t("machine.title")}</summary>
      <Plate machine={m} />
      <Bearings machine={m} />
      <Table
        title={t("machine.gears")}
        head={[t("machine.stage"), t("machine.pinion"), t("machine.wheel"), t("machine.origin")]}
        rows={m.gears.map((g) => [<Data>{g.stage}</Data>, teeth(g.pinion), teeth(g.wheel), said(g.origin)])}
      />
      <Table
        title={t("machine.limits")}
        head={[t("tags.tag"), t("machine.kind"), t("machine.limit"), t("machine.modes"), t("machine.basis")]}
        rows={m.limits.map((l) => [
          <TagName path={l.tag} asset={m.path} />,
          kindText(l.kind),
          <Num>{limitText(l.kind, l.value, l.unit)}</Num>,
          l.modes.length > 0 ? <Data>{l.modes.join(", ")}</Data> : t("machine.all"),
          <>
            {l.basis && <Data>{l.basis}</Data>}
            {l.basis && l.origin.source && " · "}
            {(l.origin.source || !l.basis) && said(l.origin)}
          </>,
        ])}
      />
      <Table
        title={t("machine.sensors")}
        head={[t("tags.tag"), t("machine.mounting"), t("machine.direction"), t("machine.calibrated")]}
        rows={m.sensors.map((s) => [
          <TagName path={s.tag} asset={m.path} />,
          mountingText(s.mounting),
          s.direction ? <Num>{s.direction}</Num> : none(),
          s.calibrated ? <Num>{s.calibrated}</Num> : none(),
        ])}
      />
      <Table
        title={t("machine.spares")}
        head={[t("machine.part"), t("machine.number"), t("machine.stock"), t("machine.lead"), t("machine.place")]}
        rows={m.spares.map((s) => [
          <Data>{s.part}</Data>,
          s.number ? <Data>{s.number}</Data> : none(),
          s.stock === null ? t("machine.unknown") : <Num>{s.stock}</Num>,
          s.lead_days === null ? t("machine.unknown") : t("machine.days", { n: s.lead_days }),
          s.place ? <Data>{s.place}</Data> : none(),
        ])}
      />
      <Table
        title={t("machine.drawings")}
        head={[t("machine.drawing"), t("machine.number")]}
        rows={m.drawings.map((d) => [
          /^https?:\/\//.test(d.link) ? (
            <a href={d.link} target="_blank" rel="noopener noreferrer">
              <Data>{d.title}</Data>
            </a>
          ) : (
            <Data>{d.title}</Data>
          ),
          d.number ? <Data>{d.number}</Data> : none(),
        ])}
      />
    </details>
  );
}

function isBare(m: Machine): boolean {
  const lists = [m.bearings, m.gears, m.limits, m.sensors, m.spares, m.drawings];
  return m.number === "" && m.nameplate === null && lists.every((l) => l.length === 0);
}

function Plate(props: { machine: Machine }): JSX.Element | null {
  const { number, nameplate: n } = props.machine;
  const facts: [string, ComponentChildren][] = [];
  const add = (name: string, value: ComponentChildren) => {
    if (value) facts.push([name, value]);
  };
  add(t("machine.number"), number && <Data>{number}</Data>);
  if (n) {
    const made = [n.maker, n.model].filter((s) => s !== "").join(" ");
    add(t("machine.maker"), made && <Data>{made}</Data>);
    add(t("machine.serial"), n.serial && <Data>{n.serial}</Data>);
    add(t("machine.power"), n.power_kw !== null && <Num>{`${brief(n.power_kw)} kW`}</Num>);
    add(t("machine.speed"), n.speed_max !== null && <Num>{speed(n.speed_min, n.speed_max)}</Num>);
    add(
      t("machine.support"),
      n.support && (
        <>
          {n.support === "rigid" ? t("machine.rigid") : t("machine.flexible")}
          {n.group !== null && (
            <>
              {", "}
              <Data>{t("machine.group", { n: n.group })}</Data>
            </>
          )}
        </>
      ),
    );
    add(t("machine.redundancy"), n.redundancy && <Num>{`${n.redundancy.replace("x", " × ")} %`}</Num>);
    add(t("machine.lubricant"), n.lubricant && <Data>{n.lubricant}</Data>);
    add(t("machine.origin"), said(n.origin));
  }
  if (facts.length === 0) return null;
  return (
    <dl class="machine-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Bearings(props: { machine: Machine }): JSX.Element {
  return (
    <Table
      title={t("machine.bearings")}
      head={[
        t("machine.position"),
        t("machine.designation"),
        t("machine.bpfo"),
        t("machine.bpfi"),
        t("machine.bsf"),
        t("machine.ftf"),
        t("machine.origin"),
      ]}
      rows={props.machine.bearings.map((b) => [
        <Data>{b.position}</Data>,
        b.designation ? <Data>{b.designation}</Data> : none(),
        ...(["bpfo", "bpfi", "bsf", "ftf"] as const).map((k) => (b.orders ? <Num>{b.orders[k].toFixed(3)}</Num> : none())),
        said(b.origin),
      ])}
    />
  );
}

function Table(props: { title: string; head: string[]; rows: ComponentChildren[][] }): JSX.Element | null {
  if (props.rows.length === 0) return null;
  return (
    <div class="table-wrap machine-table">
      <table>
        <caption>{props.title}</caption>
        <thead>
          <tr>
            {props.head.map((h) => (
              <th key={h} scope="col">
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, k) => (
                <td key={k} data-label={props.head[k]}>
                  <span>{cell}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function none(): JSX.Element {
  return <span class="muted none">{"–"}</span>;
}

function teeth(n: number | null): ComponentChildren {
  return n === null ? t("machine.unknown") : <Num>{n}</Num>;
}

function speed(low: number | null, high: number): string {
  if (low === null) return `≤ ${brief(high)} r/min`;
  return low === high ? `${brief(high)} r/min` : `${brief(low)} – ${brief(high)} r/min`;
}

function limitText(kind: string, value: number, unit: string): string {
  const r = readable(kind, value, kind === "rate" ? `${unit}/s` : unit);
  return withUnit(brief(value * r.factor), r.unit);
}

/** said is who says so, from what and when. */
function said(o: Origin): ComponentChildren {
  if (!o.source) return none();
  return (
    <span class="muted">
      {sourceText(o.source)}
      {(o.author || o.date) && (
        <>
          {", "}
          <Data>{[o.author, o.date].filter((s) => s !== "").join(", ")}</Data>
        </>
      )}
    </span>
  );
}

function sourceText(s: string): string {
  switch (s) {
    case "nameplate":
      return t("source.nameplate");
    case "drawing":
      return t("source.drawing");
    case "maker":
      return t("source.maker");
    case "standard":
      return t("source.standard");
    case "baseline":
      return t("source.baseline");
    case "judgement":
      return t("source.judgement");
    case "estimate":
      return t("source.estimate");
    default:
      return t("source.unknown");
  }
}

function mountingText(s: string): ComponentChildren {
  switch (s) {
    case "stud":
      return t("mounting.stud");
    case "glue":
      return t("mounting.glue");
    case "magnet":
      return t("mounting.magnet");
    case "probe":
      return t("mounting.probe");
    case "thermowell":
      return t("mounting.thermowell");
    case "inline":
      return t("mounting.inline");
    default:
      return none();
  }
}

function kindText(kind: string): string {
  switch (kind) {
    case "high-high":
      return t("kind.limit.high-high");
    case "low":
      return t("kind.limit.low");
    case "low-low":
      return t("kind.limit.low-low");
    case "rate":
      return t("kind.limit.rate");
    default:
      return t("kind.limit.high");
  }
}
