// Two made-up languages for tests: every text in brackets, accented and 40 %
// longer, left to right and right to left. What shows up without brackets did
// not come from the catalogue.

import { en } from "./en.ts";
import type { Catalogue, Language, Text } from "./text.ts";

const accents: Record<string, string> = { a: "á", e: "é", i: "í", o: "ó", u: "ú", A: "Á", E: "É", I: "Í", O: "Ó", U: "Ú" };

export function pseudoText(s: string): string {
  const body = s.replace(/\{\w+\}|[aeiouAEIOU]/g, (m) => accents[m] ?? m);
  const letters = s.replace(/\{\w+\}/g, "").length;
  return `⟦${body}${"·".repeat(Math.ceil(letters * 0.4))}⟧`;
}

function pseudo(text: Text): Text {
  if (typeof text === "string") return pseudoText(text);
  return Object.fromEntries(Object.entries(text).map(([k, v]) => [k, pseudoText(v)])) as unknown as Text;
}

const texts = Object.fromEntries(Object.entries<Text>(en).map(([k, v]) => [k, pseudo(v)])) as Catalogue;

export const pseudoLtr: Language = { tag: "en-GB", dir: "ltr", texts };
export const pseudoRtl: Language = { tag: "en-GB", dir: "rtl", texts };
