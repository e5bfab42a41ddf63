// What the form of the crew's answer offers and sends.

import type { Alarm, Tag, Verdict } from "../data/types.ts";

/** blamed is the sensor that an alarm is about, or the one that it blames most: "" where there is none. */
export function blamed(a: Pick<Alarm, "finding">): string {
  return a.finding.tag ?? a.finding.contributions?.[0]?.tag ?? "";
}

/** sensors are the paths of an asset's own measured tags. */
export function sensors(asset: string, tags: readonly Pick<Tag, "path" | "asset" | "derived">[]): string[] {
  return tags.filter((x) => x.asset === asset && !x.derived).map((x) => x.path);
}

/** answer is what the form sends. */
export function answer(verdict: Verdict | "", code: string, of: string, tag: string, note: string): Record<string, unknown> {
  const body: Record<string, unknown> = { verdict, note: note.trim() };
  if (verdict === "confirmed") body["code"] = code;
  if (verdict === "duplicate") body["of"] = Number(of);
  if (verdict === "sensor_fault" && tag !== "") body["tag"] = tag;
  return body;
}
