import type { JSX } from "preact";
import type { Problem } from "../data/http.ts";
import { t } from "../i18n/text.ts";
import { Data } from "./data.tsx";

export function Empty(props: { title: string; text: string }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{props.title}</p>
      <p class="muted">{props.text}</p>
    </div>
  );
}

export function Loading(): JSX.Element {
  return <p class="loading muted">{t("shell.loading")}</p>;
}

export function Failed(props: { problem: Problem }): JSX.Element {
  return (
    <div class="empty" role="alert">
      <p class="empty-title">{props.problem.status === 0 ? t("lost.title") : t("shell.failed")}</p>
      {props.problem.status !== 0 && (
        <p class="muted">
          <Data>{props.problem.message}</Data>
        </p>
      )}
    </div>
  );
}
