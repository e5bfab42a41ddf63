// A connection that does without security, by somebody's leave: always in sight.

import type { JSX } from "preact";
import { t } from "../i18n/text.ts";
import { Data } from "../parts/data.tsx";

export function Unsafe(props: { text: string; over: boolean }): JSX.Element {
  return (
    <p class="unsafe">
      <strong>{props.over ? t("plc.exceptionOver") : t("plc.exception")}</strong> <Data>{props.text}</Data>
    </p>
  );
}
