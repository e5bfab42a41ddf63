import { expect, test } from "vitest";
import { brief, bytes, clock, decimals, fixed, moment, percent, readable, short, span } from "../src/format.ts";

test("decimals come from the sensor's resolution, else from the range", () => {
  expect(decimals({ resolution: 0.01 })).toBe(2);
  expect(decimals({ resolution: 0.05 })).toBe(2);
  expect(decimals({ resolution: 1 })).toBe(0);
  expect(decimals({ resolution: 10 })).toBe(0);
  expect(decimals({ low: 0, high: 20 })).toBe(2);
  expect(decimals({ low: 0, high: 6000 })).toBe(0);
  expect(decimals({ low: null, high: null })).toBe(2);
  expect(decimals({ kind: "discrete", resolution: 0.1 })).toBe(0);
});

test("numbers keep their decimals, so that nothing jumps", () => {
  expect(fixed(1.5, 2)).toBe("1.50");
  expect(fixed(-0.001, 2)).toBe("0.00");
  expect(fixed(-1.5, 1)).toBe("−1.5");
  expect(fixed(1234.5, 1)).toBe("1234.5");
  expect(fixed(12345, 0)).toBe("12,345");
});

test("no value is a dash, never a number", () => {
  for (const v of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(fixed(v, 2)).toBe("–");
    expect(brief(v)).toBe("–");
    expect(percent(v)).toBe("–");
  }
  expect(span(Number.NaN)).toBe("–");
});

test("spans", () => {
  expect(span(0)).toBe("0.0 s");
  expect(span(-50)).toBe("0.0 s");
  expect(span(9940)).toBe("9.9 s");
  expect(span(9960)).toBe("10 s");
  expect(span(99_600)).toBe("2 min");
  expect(span(3_599_000)).toBe("1.0 h");
  expect(span(36_000_000)).toBe("10 h");
  expect(span(172_800_000)).toBe("2 d");
});

test("sizes", () => {
  expect(bytes(0)).toBe("0 B");
  expect(bytes(999)).toBe("999 B");
  expect(bytes(1000)).toBe("1.0 kB");
  expect(bytes(18_432)).toBe("18 kB");
  expect(bytes(4_000_000_000)).toBe("4.0 GB");
});

test("24-hour clock, also at midnight", () => {
  const midnight = new Date(2026, 10, 22, 0, 5, 9).getTime();
  expect(clock(midnight)).toBe("00:05:09");
  expect(moment(midnight)).toContain("00:05:09");
});

test("a moment says its day, and its year, where they are not today's", () => {
  const now = new Date(2026, 10, 22, 12).getTime();
  expect(short(new Date(2026, 10, 22, 9, 5, 1).getTime(), now)).toBe("09:05:01");
  expect(short(new Date(2026, 10, 21, 9, 5, 1).getTime(), now)).toContain("09:05");
  expect(short(new Date(2030, 2, 14, 9, 5).getTime(), now)).toContain("2030");
});

test("slow rises are compared by the minute", () => {
  expect(readable("limit.rate", 0.033, "°C/s")).toEqual({ factor: 60, unit: "°C/min" });
  expect(readable("limit.rate", 2, "bar/s")).toEqual({ factor: 1, unit: "bar/s" });
  expect(readable("limit.high", 0.03, "m/s")).toEqual({ factor: 1, unit: "m/s" });
  expect(readable("limit.rate", null, null)).toEqual({ factor: 1, unit: "" });
});
