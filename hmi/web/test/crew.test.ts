import { expect, test } from "vitest";
import { faultMap, moved, replaced, without } from "../src/crew/fields.tsx";
import { freshID } from "../src/crew/people.tsx";
import { coded } from "../src/crew/words.ts";

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
