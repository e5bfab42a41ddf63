import { expect, test } from "vitest";
import { faultMap, moved, replaced, without } from "../src/crew/fields.tsx";
import { freshID } from "../src/crew/people.tsx";
import { placeText, warnings } from "../src/crew/warnings.ts";
import { coded } from "../src/crew/words.ts";
import type { Asset, Channel, Roster } from "../src/data/types.ts";

test("faults of a document are found by their place", () => {
  const f = faultMap([
    "people[0].contacts[1].address: not a number",
    "routes: none",
    "people[0].contacts[1].address: too long",
    "odd",
  ]);
  expect(f.get("people[0].contacts[1].address")).toBe("not a number; too long");
  expect(f.get("routes")).toBe("none");
  expect(f.get("")).toBe("odd");
});

test("lists change by copies", () => {
  const list = ["a", "b", "c"];
  expect(moved(list, 2, -1)).toEqual(["a", "c", "b"]);
  expect(moved(list, 0, -1)).toEqual(["a", "b", "c"]);
  expect(replaced(list, 1, "x")).toEqual(["a", "x", "c"]);
  expect(without(list, 0)).toEqual(["b", "c"]);
  expect(list).toEqual(["a", "b", "c"]);
});

test("a new short name is nobody's", () => {
  expect(freshID("p", [])).toBe("p1");
  expect(freshID("p", [{ id: "p2" }])).toBe("p3");
  expect(freshID("p", [{ id: "p2" }, { id: "x" }])).toBe("p3");
});

test("codes have words, and those of a newer server stay codes", () => {
  expect(coded("verdict", "confirmed")).toBe("A fault");
  expect(coded("verdict", "unheard")).toBe("unheard");
});

test("a roster that tells nobody is warned of", () => {
  const roster: Roster = {
    revision: 1,
    people: [
      { id: "olga", name: "Olga", language: "ru", contacts: [{ channel: "ntfy", address: "olga" }] },
      {
        id: "ali",
        name: "Ali",
        language: "ur",
        contacts: [
          { channel: "sms", address: "+923001234567" },
          { channel: "mail", address: "a@b" },
        ],
      },
    ],
    teams: [],
    routes: [{ id: "r", area: "hsm", steps: [{ wait_s: 0, people: ["ali"] }] }],
  };
  const channels = [{ name: "sms" }] as Channel[];
  const assets = [{ path: "HSM/FM/F3/GBX" }, { path: "BOF/C1/FAN" }] as Asset[];
  const got = warnings(roster, channels, assets);
  expect(got).toHaveLength(3);
  expect(got[0]).toContain("Olga");
  expect(got[1]).toContain("E-mail");
  expect(got[2]).toContain("BOF, HSM");
  expect(warnings({ ...roster, routes: [{ id: "r", area: "HSM/FM", steps: [] }] }, null, assets)).toEqual([]);
});

test("places of faults are words", () => {
  expect(placeText("people[0].contacts[1].address")).toBe("Person 1, contact 2, address:");
  expect(placeText("routes[2].steps[0]")).toBe("Route 3, step 1:");
  expect(placeText("")).toBe("");
});
