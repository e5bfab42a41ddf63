// The redundant servers of a PLC: which one is read, and which stand ready.

import type { JSX } from "preact";
import { coded } from "../crew/words.ts";
import type { PLCServer } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { Data, Num } from "../parts/data.tsx";

export function Servers(props: { servers: readonly PLCServer[] }): JSX.Element | null {
  if (props.servers.length === 0) return null;
  return (
    <section class="plc-part">
      <h5>{t("plc.servers")}</h5>
      <ul class="small">
        {props.servers.map((s) => (
          <li key={s.url}>
            <Num>{s.url}</Num> {s.active ? <strong>{coded("plc.server", s.state)}</strong> : coded("plc.server", s.state)}{" "}
            {s.service_level !== null && <span class="muted">{t("plc.level", { n: s.service_level })}</span>}{" "}
            {s.reason && <Data>{s.reason}</Data>}
          </li>
        ))}
      </ul>
    </section>
  );
}
