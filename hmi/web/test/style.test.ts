// Rules of the house that no linter knows.

import { expect, test } from "vitest";

const sources = import.meta.glob("../src/**/*.{css,ts,tsx,html}", { query: "?raw", import: "default", eager: true });

function files(ext: string): { name: string; text: string }[] {
  return Object.entries(sources)
    .filter(([name]) => name.endsWith(ext))
    .map(([name, text]) => ({ name: name.replace("../src/", ""), text }));
}

const bare = (css: string) => css.replace(/\/\*[\s\S]*?\*\//g, "").replace(/url\("data:[^"]*"\)/g, "url()");

/** physical gives the declarations of a style sheet that know left from right, but numeric columns. */
function physical(css: string): string[] {
  const out: string[] = [];
  for (const m of bare(css).matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const selector = (m[1] ?? "").trim();
    for (const d of (m[2] ?? "").split(";")) {
      const [name = "", value = ""] = d.split(":").map((x) => x.trim());
      if (name === "") continue;
      const bad =
        /(^|-)(left|right)(-|$)/.test(name) ||
        (/^(text-align|float|clear|justify-content|justify-items|justify-self)$/.test(name) && /\b(left|right)\b/.test(value)) ||
        /^(width|height|min-width|min-height|max-width|max-height|top|bottom)$/.test(name) ||
        /^(margin|padding)-(top|bottom)$/.test(name);
      if (bad && !(selector === ".number" && name === "text-align")) out.push(`${selector} { ${d.trim()} }`);
    }
  }
  return out;
}

test("the check for physical directions finds them", () => {
  expect(physical(".a { margin-left: 1px; color: red }")).toHaveLength(1);
  expect(physical(".a { text-align: right }")).toHaveLength(1);
  expect(physical("@media x { .a { padding-right: 0 } }")).toHaveLength(1);
  expect(physical(".number { text-align: right } .b { margin-inline: 1px; /* left */ }")).toHaveLength(0);
});

test("the sources are really read", () => {
  for (const ext of [".css", ".ts", ".tsx", ".html"]) {
    expect(files(ext).length).toBeGreaterThan(0);
    for (const f of files(ext)) expect(f.text.length, f.name).toBeGreaterThan(0);
  }
});

test("style sheets know start and end, not left and right", () => {
  for (const f of files(".css")) expect(physical(f.text), f.name).toEqual([]);
});

test("alarm colours are used by alarm components only", () => {
  for (const f of [...files(".css"), ...files(".ts"), ...files(".tsx")]) {
    if (f.name.startsWith("alarm/") || f.name === "styles/tokens.css") continue;
    const uses = f.text.match(/--alarm-[1-4]|--alarm-on-|--tone/g) ?? [];
    expect(uses, f.name).toEqual([]);
  }
});

test("everything but alarm tokens is grey", () => {
  const tokens = bare(files("tokens.css")[0]?.text ?? "");
  let seen = 0;
  for (const line of tokens.split(";")) {
    if (line.includes("--alarm-")) continue;
    for (const m of line.matchAll(/#([0-9a-f]{6})/g)) {
      const [r = 0, g = 0, b = 0] = [0, 2, 4].map((i) => Number.parseInt((m[1] ?? "").slice(i, i + 2), 16));
      seen++;
      expect(Math.max(r, g, b) - Math.min(r, g, b), line.trim()).toBeLessThanOrEqual(26);
    }
  }
  expect(seen).toBeGreaterThan(30);
});

test("no colour is written outside the tokens", () => {
  for (const f of files(".css")) {
    if (f.name === "styles/tokens.css") continue;
    const text = bare(f.text).replace(/light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)/g, "");
    expect(text.match(/#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|\boklch\(/g) ?? [], f.name).toEqual([]);
  }
});

test("no attribute that people read has a literal text", () => {
  for (const f of files(".tsx")) {
    const found = f.text.match(/\b(aria-label|aria-roledescription|aria-description|title|placeholder|alt|label)="[^"]*"/g) ?? [];
    expect(found, f.name).toEqual([]);
  }
});

test("nothing is loaded from outside", () => {
  for (const f of [...files(".css"), ...files(".ts"), ...files(".tsx"), ...files(".html")]) {
    const found = f.text.replaceAll("http://www.w3.org/2000/svg", "").match(/(https?|wss?):\/\/[^\s"'`)]+/g) ?? [];
    expect(found, f.name).toEqual([]);
  }
});
