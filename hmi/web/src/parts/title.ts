import { effect, signal } from "@preact/signals";
import { counts } from "../data/alarms.ts";
import { t } from "../i18n/text.ts";

const page = signal("");

export function setTitle(text: string): void {
  page.value = text;
}

/** startTitle keeps the tab's title: how many alarms nobody has seen, and which page. */
export function startTitle(): void {
  effect(() => {
    const n = counts.value.unacked;
    const name = page.value === "" ? t("shell.name") : `${page.value} – ${t("shell.name")}`;
    document.title = n > 0 ? `(${n}) ${name}` : name;
  });
}
