// New alarms are read out: one region, at most one announcement every 2 s,
// priority 1 at once.

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { onArrival } from "../data/alarms.ts";
import type { Alarm } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { word } from "./words.tsx";

const PAUSE = 2000;

export function Announcer(): JSX.Element {
  const polite = useSignal("");
  const urgent = useSignal("");
  useEffect(() => {
    const waiting: Alarm[] = [];
    let timer = 0;
    const say = () => {
      timer = 0;
      const a = waiting.shift();
      if (!a) return;
      const text =
        waiting.length > 3
          ? t("announce.many", { n: waiting.length + 1 })
          : t("announce.one", { p: a.priority, what: word("kind", a.finding.kind), asset: a.asset });
      if (waiting.length > 3) waiting.length = 0;
      if (a.priority === 1) urgent.value = text;
      else polite.value = text;
      timer = setTimeout(say, PAUSE);
    };
    const stop = onArrival((a) => {
      if (a.state !== "unacked" || a.finding.phase !== "raise") return;
      if (waiting.some((w) => w.id === a.id)) return;
      waiting.push(a);
      if (timer === 0) timer = setTimeout(say, 50);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, []);
  return (
    <div class="hidden-text">
      <p aria-live="polite">{polite}</p>
      <p aria-live="assertive">{urgent}</p>
    </div>
  );
}
