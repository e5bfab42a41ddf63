import { expect, test } from "vitest";
import { columns, spectrum, strongest } from "../src/trend/spectrum.ts";

test("a sine has its peak at its frequency and nowhere else", () => {
  const n = 1024;
  const values = Array.from({ length: n + 37 }, (_, i) => 5 + 3 * Math.sin((2 * Math.PI * 64 * i) / n));
  const s = spectrum(values);
  expect(s.length).toBe(n / 2 + 1);
  expect(strongest(s)).toBe(64);
  expect(s[64]).toBeCloseTo(3, 6);
  expect(s[0]).toBeLessThan(0.05); // the mean is no tone
  expect(Math.max(...s.slice(70))).toBeLessThan(1e-6);
});

test("what is no number counts as the mean, and too few values have no spectrum", () => {
  expect(spectrum([1, 2, 3]).length).toBe(0);
  expect([...spectrum([null, null, null, null])]).toEqual([0, 0, 0]);
  expect(strongest(spectrum([7, 7, 7, 7]))).toBe(-1);
});

test("columns keep the least and the greatest", () => {
  expect(columns([1, 5, -2, null, 3, 3], 3)).toEqual([
    { low: 1, high: 5 },
    { low: -2, high: -2 },
    { low: 3, high: 3 },
  ]);
  expect(columns([null, null, 4], 2)).toEqual([null, { low: 4, high: 4 }]);
  expect(columns([1], 400)).toEqual([{ low: 1, high: 1 }]);
});
