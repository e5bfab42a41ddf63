import { afterEach, expect, test } from "vitest";
import { en } from "../src/i18n/en.ts";
import { pseudoLtr, pseudoRtl } from "../src/i18n/pseudo.ts";
import { english, known, language, type Text, t } from "../src/i18n/text.ts";

afterEach(() => {
  language.value = english;
});

const names = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
const forms = (x: Text) => (typeof x === "string" ? [x] : Object.values(x));

test("every language has every key, with the same names in braces", () => {
  for (const l of [english, pseudoLtr, pseudoRtl]) {
    expect(Object.keys(l.texts).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries<Text>(en)) {
      const wanted = new Set(forms(text).flatMap(names));
      for (const form of forms(l.texts[key as keyof typeof en])) for (const n of names(form)) expect(wanted, key).toContain(n);
    }
  }
});

test("every plural has the form that all languages have", () => {
  for (const [key, text] of Object.entries<Text>(en)) if (typeof text !== "string") expect(text.other, key).toBeTruthy();
});

test("names are filled, plurals chosen", () => {
  expect(t("alarm.priority", { p: 2 })).toBe("Priority 2");
  expect(t("announce.many", { n: 1 })).toBe("1 new alarm");
  expect(t("announce.many", { n: 12 })).toBe("12 new alarms");
});

test("a made-up language marks every text", () => {
  language.value = pseudoLtr;
  for (const key of ["nav.plant", "alarms.none", "quality.stale"] as const) expect(t(key)).toMatch(/^⟦.*⟧$/);
  expect(t("alarm.priority", { p: 2 })).toContain("2");
});

test("kinds, gap reasons and directions of the plant have texts", () => {
  const words = [
    ..."machine.anomaly limit.high limit.high-high limit.low limit.low-low limit.rate sensor.flat sensor.stuck sensor.spike sensor.dropout sensor.bad sensor.range system.plc system.edge system.queue"
      .split(" ")
      .map((k) => `kind.${k}`),
    ..."server-down link-down queue-overflow edge-restart queue-full disk-full missed-message fail-over".split(" ").map((k) => `gap.${k}`),
    ..."high low noisy frozen".split(" ").map((k) => `direction.${k}`),
  ];
  for (const w of words) expect(known(w), w).toBe(true);
  expect(known("kind.nothing")).toBe(false);
  expect(known("toString")).toBe(false);
});
