// Tags whose nodes are not what they were: nothing of them is taken until an
// engineer has said what they are now.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import type { Edge, PLC, QuarantinedTag } from "../data/types.ts";
import { integer } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, TagName } from "../parts/data.tsx";
import { type Choice, Decide } from "./decide.tsx";
import { Since } from "./since.tsx";

const releases = ["same", "rescaled", "new"] as const;

export function Quarantine(props: { plc: PLC; edge: Edge }): JSX.Element | null {
  const p = props.plc;
  if (p.quarantine.length === 0) return null;
  const more = p.quarantined - p.quarantine.length;
  return (
    <section class="plc-part">
      <h5>{t("plc.quarantine", { n: p.quarantined })}</h5>
      <p class="small muted">{t("plc.quarantineText")}</p>
      <ul class="plc-decisions">
        {p.quarantine.map((q) => (
          <li key={q.tag}>
            <p>
              <TagName path={q.tag} class="strong" /> <span class="small">{q.what.map((w) => coded("plc.what", w)).join(", ")}</span>{" "}
              <Since since={q.since} />
            </p>
            <dl class="was-is">
              <div>
                <dt>{t("plc.was")}</dt>
                <dd>
                  <Data>{q.was}</Data>
                </dd>
              </div>
              <div>
                <dt>{t("plc.is")}</dt>
                <dd>
                  <Data>{q.is}</Data>
                </dd>
              </div>
            </dl>
            <Decide
              plc={p}
              edge={props.edge}
              choices={choices(q)}
              command={`millwright doctor plc -c edge.toml --plc ${p.name} --release '${q.tag}=same'`}
            />
          </li>
        ))}
      </ul>
      {more > 0 && <p class="muted">{t("plc.more", { n: integer(more) })}</p>}
    </section>
  );
}

function choices(q: QuarantinedTag): Choice[] {
  return releases.map((as) => ({ label: t(`plc.release.${as}`), about: t(`plc.release.${as}Text`), order: { tag: q.tag, as } }));
}
