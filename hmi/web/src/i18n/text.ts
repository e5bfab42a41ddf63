// Texts of the pages. A catalogue maps a key to a text with {names} in braces,
// or to a set of plural forms that are chosen by {n}. English is the type of
// all catalogues: a key or a name in braces that is missing does not compile.

import { computed, signal } from "@preact/signals";
import { en } from "./en.ts";

export interface Plural {
  readonly zero?: string;
  readonly one?: string;
  readonly two?: string;
  readonly few?: string;
  readonly many?: string;
  readonly other: string;
}
export type Text = string | Plural;
export type Key = keyof typeof en;
export type Catalogue = Record<Key, Text>;

type Names<S> = S extends `${string}{${infer N}}${infer R}` ? N | Names<R> : never;
type AllNames<T> = T extends string ? Names<T> : T extends { other: infer O } ? Names<O> | "n" : never;
export type Params<K extends Key, V> = Record<AllNames<(typeof en)[K]>, V>;
type Rest<K extends Key> = [AllNames<(typeof en)[K]>] extends [never] ? [] : [Params<K, string | number>];

/** A language: its tag for Intl, its direction and its texts. */
export interface Language {
  readonly tag: string;
  readonly dir: "ltr" | "rtl";
  readonly texts: Catalogue;
}

export const english: Language = { tag: "en-GB", dir: "ltr", texts: en };

export const language = signal<Language>(english);

const plurals = computed(() => new Intl.PluralRules(language.value.tag));
const integers = computed(() => new Intl.NumberFormat(language.value.tag, { maximumFractionDigits: 0 }));

/** pattern is the text of a key before its names are filled in. */
export function pattern(key: Key, n?: number): string {
  const text: Text | undefined = language.value.texts[key];
  if (text === undefined) return key; // a word that a newer server made
  if (typeof text === "string") return text;
  return text[plurals.value.select(n ?? 0)] ?? text.other;
}

/** t is the text of a key in the present language. */
export function t<K extends Key>(key: K, ...rest: Rest<K>): string {
  const params = (rest[0] ?? {}) as Record<string, string | number>;
  const n = params["n"];
  return pattern(key, typeof n === "number" ? n : undefined).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const v = params[name];
    if (v === undefined) return whole;
    return typeof v === "number" ? integers.value.format(v) : v;
  });
}

/** known says whether a key made from data (a reason, a kind) has a text. */
export function known(key: string): key is Key {
  return Object.hasOwn(language.value.texts, key);
}
