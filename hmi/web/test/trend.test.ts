import { expect, test } from "vitest";
import type { ModelState } from "../src/data/types.ts";
import { bandSpans, modeSpans, parseModel } from "../src/trend/bands.ts";
import { labelQuery } from "../src/trend/labels.ts";
import { fitAxis, withBand } from "../src/trend/scale.ts";

test("changes of mode become spans inside the window", () => {
  const changes = [
    { at: 0, mode: "idle" },
    { at: 100, mode: "rolling" },
    { at: 200, mode: "rolling" },
    { at: 300, mode: "idle" },
  ];
  expect(modeSpans(changes, 150, 400)).toEqual([
    { from: 150, to: 300, mode: "rolling" },
    { from: 300, to: 400, mode: "idle" },
  ]);
});

test("each span gets the band of its mode; modes without one get none", () => {
  const model = (low: number, high: number): ModelState => ({
    phase: "monitoring",
    mode: "m",
    learned: 1,
    limit: 0.5,
    guess: false,
    bands: { T: [low, high] },
  });
  const models = new Map([
    ["rolling", model(1, 2)],
    ["idle", model(0, 0.5)],
  ]);
  const spans = [
    { from: 0, to: 10, mode: "rolling" },
    { from: 10, to: 20, mode: "transition" },
    { from: 20, to: 30, mode: "idle" },
  ];
  expect(bandSpans(spans, models, "T")).toEqual([
    { from: 0, to: 10, low: 1, high: 2 },
    { from: 20, to: 30, low: 0, high: 0.5 },
  ]);
  expect(bandSpans(spans, models, "U")).toEqual([]);
});

test("a model text that is no JSON is no model", () => {
  expect(parseModel("{")).toBeNull();
  expect(parseModel(null)).toBeNull();
  expect(parseModel('{"phase":"learning","mode":"a","learned":0.5,"limit":0.5,"guess":true}')?.learned).toBe(0.5);
});

test("the axis holds the values and stays while they fit", () => {
  const a = fitAxis(null, 10, 20, 0);
  expect(a.low).toBeLessThan(10);
  expect(a.high).toBeGreaterThan(20);
  expect(fitAxis(a, 11, 19, 0)).toBe(a);
  expect(fitAxis(a, 11, 40, 0).high).toBeGreaterThan(40);
  const narrow = fitAxis(a, 15, 15.01, 0);
  expect(narrow.high - narrow.low).toBeLessThan(1);
});

test("a constant value gets an axis, and a quantity above zero none below it", () => {
  const a = fitAxis(null, 5, 5, 0.1);
  expect(a.high).toBeGreaterThan(a.low);
  expect(fitAxis(null, 0, 3, 0).low).toBe(0);
  expect(fitAxis(null, Number.NaN, Number.NaN, 0)).toEqual({ low: 0, high: 1 });
});

test("the band widens the axis, but not so far that the line goes flat", () => {
  expect(withBand(10, 12, [[8, 11]])).toEqual([8, 12]);
  expect(withBand(10, 12, [[-5000, 5000]])).toEqual([10, 12]);
  expect(withBand(Number.NaN, Number.NaN, [[1, 2]])).toEqual([1, 2]);
});

test("answers are asked for by the trend's span", () => {
  const q = labelQuery("A", 3_600_000, Date.parse("2026-11-30T08:00:00Z"));
  expect(q).toEqual({ asset: "A", from: "2026-11-30T07:00:00.000Z", to: "2026-11-30T08:01:00.000Z", limit: 10_000 });
});
