// Certificates that the connection depends on. Those that need somebody stand
// open, the others are folded away.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import { now } from "../data/clock.ts";
import type { Certificate, Edge, PLC } from "../data/types.ts";
import { short } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";
import { Decide } from "./decide.tsx";
import { grouped } from "./fingerprint.ts";

export function Certificates(props: { plc: PLC; edge: Edge }): JSX.Element | null {
  const all = props.plc.certificates;
  if (all.length === 0) return null;
  const open = all.filter((c) => c.state !== "trusted");
  const quiet = all.filter((c) => c.state === "trusted");
  return (
    <>
      {open.length > 0 && (
        <section class="plc-part">
          <h5>{t("plc.certificatesOpen")}</h5>
          <ul class="plc-decisions">
            {open.map((c) => (
              <li key={c.who + c.fingerprint}>
                <Facts certificate={c} />
                {c.state === "rejected" && c.who === "server" && (
                  <Decide
                    plc={props.plc}
                    edge={props.edge}
                    choices={[{ label: t("plc.trust"), about: t("plc.trustText"), order: { trust: c.fingerprint.replaceAll(":", "").toLowerCase() } }]}
                    command={`millwright pki trust ${c.fingerprint.slice(0, 16)} -c edge.toml`}
                  />
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
      {quiet.length > 0 && (
        <details class="plc-more">
          <summary>{t("plc.certificates", { n: quiet.length })}</summary>
          <ul>
            {quiet.map((c) => (
              <li key={c.who + c.fingerprint}>
                <Facts certificate={c} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Facts(props: { certificate: Certificate }): JSX.Element {
  const c = props.certificate;
  return (
    <div class="certificate">
      <p>
        <strong>{coded("plc.who", c.who)}</strong> <Data>{c.subject}</Data> <span class="small">{coded("plc.certificate", c.state)}</span>{" "}
        {c.ends && (
          <span class="small muted">
            {t("plc.until", { n: c.days })} <Num>{short(Date.parse(c.ends), now())}</Num>
          </span>
        )}
      </p>
      {c.fingerprint && <Num class="fingerprint">{grouped(c.fingerprint)}</Num>}
      {c.reason && (
        <p class="small">
          <Data>{c.reason}</Data>
        </p>
      )}
    </div>
  );
}
