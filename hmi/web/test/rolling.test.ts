import { expect, test } from "vitest";
import type { Bucket } from "../src/data/types.ts";
import { Rolling } from "../src/trend/rolling.ts";

const bucket = (at: number, v: number | null, count = 1, good = 1): Bucket => ({
  t: new Date(at).toISOString(),
  min: v,
  max: v,
  mean: v,
  count,
  good,
});

test("live values of one slice become its minimum, maximum and mean", () => {
  const r = new Rolling(1000);
  for (const [at, v] of [
    [0, 1],
    [200, 3],
    [900, 2],
    [1000, 7],
  ] as const)
    r.add(at, v, true);
  expect(r.slices.map((s) => [s.at, s.min, s.max, s.mean, s.last])).toEqual([
    [0, 1, 3, 2, 2],
    [1000, 7, 7, 7, 7],
  ]);
});

test("history and live values of the same time are one slice", () => {
  const r = new Rolling(1000);
  r.add(2100, 5, true);
  r.fill([bucket(0, 1), bucket(1000, 2), bucket(2000, 3, 10)]);
  expect(r.slices.map((s) => [s.at, s.mean])).toEqual([
    [0, 1],
    [1000, 2],
    [2000, 3],
  ]);
});

test("a value that is not good is no value, and its span is told", () => {
  const r = new Rolling(1000);
  r.add(0, 1, true);
  r.add(1000, 99, false);
  r.add(2000, 2, true);
  r.add(2100, 99, false);
  const lines = r.lines(false, [], Number.NaN);
  expect(lines.mean).toEqual([1, null, 2]);
  expect(r.notGood()).toEqual([
    { from: 1000, to: 2000, none: true },
    { from: 2000, to: 3000, none: false },
  ]);
  expect(r.range(0)).toEqual([1, 2]);
});

test("buckets whose samples are all bad draw no line", () => {
  const r = new Rolling(1000);
  r.fill([bucket(0, 4), bucket(1000, null, 5, 0), bucket(2000, 4)]);
  expect(r.lines(false, [], Number.NaN).mean).toEqual([4, null, 4]);
});

test("a declared gap breaks the line even where the next value follows at once", () => {
  const r = new Rolling(1000);
  r.fill([bucket(0, 1), bucket(3000, 2)]);
  expect(r.lines(false, [{ from: 900, to: 2900 }], Number.NaN).mean).toEqual([1, 1, null, 2]);
  expect(r.lines(false, [{ from: 5000, to: 6000 }], Number.NaN).mean).toEqual([1, 2]);
});

test("a value holds: steps for set points, and for all after a long silence", () => {
  const r = new Rolling(1000);
  r.fill([bucket(0, 1), bucket(2000, 2)]);
  expect(r.lines(true, [], Number.NaN).mean).toEqual([1, 1, 2]);
  expect(r.lines(false, [], Number.NaN).mean).toEqual([1, 2]);
  const long = new Rolling(1000);
  long.fill([bucket(0, 1), bucket(60_000, 2)]);
  const lines = long.lines(false, [], Number.NaN);
  expect(lines.mean).toEqual([1, 1, 2]);
  expect(lines.x[1]).toBeGreaterThan(60_000);
});

test("the last value holds until now while it is live, and no longer", () => {
  const r = new Rolling(1000);
  r.fill([bucket(0, 1)]);
  expect(r.lines(false, [], 9000).x).toEqual([500, 9000]);
  expect(r.lines(false, [], Number.NaN).x).toEqual([500]);
});

test("what left the window goes, but the slice that the line comes from", () => {
  const r = new Rolling(1000);
  for (let i = 0; i < 10; i++) r.add(i * 1000, i, true);
  r.dropBefore(5500);
  expect(r.slices[0]?.at).toBe(4000);
  expect(r.slices.length).toBe(6);
});

test("times of the lines never go back", () => {
  let seed = 3;
  const next = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 32;
  };
  for (let round = 0; round < 300; round++) {
    const r = new Rolling(500);
    let at = 0;
    for (let i = 0; i < 40; i++) {
      at += next() < 0.2 ? next() * 20_000 : next() * 700;
      r.add(at, next(), next() > 0.1);
    }
    const from = next() * at;
    const lines = r.lines(next() > 0.5, [{ from, to: from + next() * 9000 }], at + 1000);
    for (let i = 1; i < lines.x.length; i++) expect(lines.x[i]).toBeGreaterThanOrEqual(lines.x[i - 1] as number);
    expect(lines.mean.length).toBe(lines.x.length);
  }
});
