import { expect, test } from "vitest";
import { answer, blamed, sensors } from "../src/alarm/answer.ts";
import type { Alarm } from "../src/data/types.ts";

const alarm = (tag: string | null, contributions: string[] | null) =>
  ({ finding: { tag, contributions: contributions?.map((t) => ({ tag: t })) ?? null } }) as unknown as Alarm;

test("the sensor offered is the one that the server would take", () => {
  expect(blamed(alarm("A/OIL_T", ["A/VIB"]))).toBe("A/OIL_T");
  expect(blamed(alarm(null, ["A/VIB", "A/OIL_T"]))).toBe("A/VIB");
  expect(blamed(alarm(null, []))).toBe("");
  expect(blamed(alarm(null, null))).toBe("");
});

test("sensors are measured, and the asset's own", () => {
  const tags = [
    { path: "A/VIB", asset: "A", derived: false },
    { path: "A/score", asset: "A", derived: true },
    { path: "A/B/VIB", asset: "A/B", derived: false },
  ];
  expect(sensors("A", tags)).toEqual(["A/VIB"]);
});

test("an answer has what its verdict needs, and no more", () => {
  expect(answer("confirmed", "VIB", "7", "A/VIB", " worn ")).toEqual({ verdict: "confirmed", code: "VIB", note: "worn" });
  expect(answer("duplicate", "VIB", "7", "A/VIB", "")).toEqual({ verdict: "duplicate", of: 7, note: "" });
  expect(answer("sensor_fault", "VIB", "7", "A/VIB", "")).toEqual({ verdict: "sensor_fault", tag: "A/VIB", note: "" });
  expect(answer("sensor_fault", "", "", "", "")).toEqual({ verdict: "sensor_fault", note: "" });
  expect(answer("not_a_fault", "", "", "A/VIB", "roll change")).toEqual({ verdict: "not_a_fault", note: "roll change" });
});
