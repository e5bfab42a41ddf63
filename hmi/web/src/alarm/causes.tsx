// Causes: the failure modes that an alarm may come from, with the symptoms that
// speak for and against each, and where its limit comes from.

import type { JSX } from "preact";
import { usePoll } from "../data/poll.ts";
import type { AlarmDetail } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";

/** ms between two looks: what a machine suffers from changes slowly */
const EVERY = 10_000;

export function Causes(props: { id: number; heading: "h3" | "h4" }): JSX.Element | null {
  const Heading = props.heading;
  const detail = usePoll<AlarmDetail>(`alarms/${props.id}`, {}, EVERY).data.value;
  if (!detail || (!detail.causes && !detail.basis)) return null;
  return (
    <section class="causes">
      {detail.causes && (
        <>
          <Heading>{t("cause.title")}</Heading>
          {detail.causes.length === 0 && <p class="muted">{t("cause.none")}</p>}
          <ol>
            {detail.causes.map((c) => (
              <li key={c.mode}>
                <Data>{c.name}</Data>
                <p class="muted small">
                  {t("cause.present")} <Data>{c.present.join(", ")}</Data>
                </p>
                {c.absent.length > 0 && (
                  <p class="muted small">
                    {t("cause.absent")} <Data>{c.absent.join(", ")}</Data>
                  </p>
                )}
              </li>
            ))}
          </ol>
        </>
      )}
      {detail.basis && (
        <p class="muted small">
          {t("cause.basis")} <Data>{detail.basis}</Data>
        </p>
      )}
    </section>
  );
}
