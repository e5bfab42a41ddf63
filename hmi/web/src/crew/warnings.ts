// What a roster says that can be saved and yet tells nobody, and the places of
// faults in words.

import type { Asset, Channel, Roster } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { coded } from "./words.ts";

/** areas are all paths that a route can name. */
export function areas(assets: readonly Asset[]): string[] {
  const out = new Set<string>();
  for (const a of assets) {
    const parts = a.path.split("/");
    for (let i = 1; i <= parts.length; i++) out.add(parts.slice(0, i).join("/"));
  }
  return [...out].sort();
}

/** warnings of a roster. What is not known yet (null) is not warned of. */
export function warnings(r: Roster, channels: readonly Channel[] | null, assets: readonly Asset[] | null): string[] {
  const out: string[] = [];
  if (channels) {
    const have = new Set(channels.map((c) => c.name));
    for (const p of r.people) {
      const ways = p.contacts.filter((c) => have.has(c.channel));
      const lost = p.contacts.find((c) => !have.has(c.channel));
      const who = p.name || p.id;
      if (ways.length === 0) out.push(t("roster.warn.unreached", { who }));
      else if (lost) out.push(t("roster.warn.channel", { who, channel: coded("channel", lost.channel) }));
    }
  }
  if (assets && assets.length > 0) {
    const known = areas(assets);
    r.routes.forEach((x, i) => {
      if (x.area && !known.includes(x.area)) {
        const tops = known.filter((a) => !a.includes("/")).join(", ");
        out.push(t("roster.warn.area", { n: String(i + 1), area: x.area, areas: tops }));
      }
    });
  }
  if (r.routes.length === 0 && r.people.length > 0) out.push(t("roster.warn.routes"));
  return out;
}

const lists: Record<string, string> = {
  people: "place.person",
  contacts: "place.contact",
  teams: "place.team",
  rotations: "place.rotation",
  overrides: "place.override",
  routes: "place.route",
  steps: "place.step",
};

/** placeText is a place of the document for people: "Person 1, contact 2". */
export function placeText(place: string): string {
  const parts: string[] = [];
  for (const m of place.matchAll(/(\w+)(?:\[(\d+)\])?/g)) {
    const [, name = "", index] = m;
    const key = lists[name];
    if (key && index !== undefined) parts.push(`${coded(key.split(".")[0] ?? "", key.split(".")[1] ?? "")} ${Number(index) + 1}`);
    else parts.push(coded("place", name));
  }
  return parts.length === 0 ? "" : `${parts.join(", ")}:`;
}
