// Light or dark by the system or by choice; and the resolved colours of design
// tokens for what draws on a canvas.

import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

const KEY = "millwright.theme";

export const theme = signal<Theme>(stored());
/** themed counts changes of what the tokens resolve to. */
export const themed = signal(0);

function stored(): Theme {
  try {
    const v = localStorage.getItem(KEY);
    return v === "light" || v === "dark" ? v : "auto";
  } catch {
    return "auto"; // storage is switched off
  }
}

export function startTheme(): void {
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "auto") delete root.dataset["theme"];
    else root.dataset["theme"] = theme.value;
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

export function nextTheme(): void {
  const order: Theme[] = ["auto", "light", "dark"];
  theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? "auto";
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // the choice lasts for this visit
  }
}

const resolved = new Map<string, string>();

function changed(): void {
  resolved.clear();
  themed.value = themed.peek() + 1;
}

/** colour is what a colour token is now, as the canvas wants it. */
export function colour(token: string): string {
  void themed.value;
  let c = resolved.get(token);
  if (c === undefined) {
    const probe = document.createElement("i");
    probe.style.color = `var(${token})`;
    probe.hidden = true;
    document.body.append(probe);
    c = getComputedStyle(probe).color;
    probe.remove();
    resolved.set(token, c);
  }
  return c;
}
