import { expect, test } from "vitest";
import type { Certificate } from "../src/data/types.ts";
import { soonest } from "../src/edge/broker.tsx";

test("the certificate that runs out first is told", () => {
  const one = (who: string, ends: string | null): Certificate => ({ who, subject: "", fingerprint: "", ends, days: 1, state: "trusted", reason: null });
  expect(soonest([one("server", "2027-03-01T00:00:00Z"), one("own", "2026-12-24T00:00:00Z"), one("list", null)])?.who).toBe("own");
  expect(soonest([one("list", null)])).toBeUndefined();
  expect(soonest([])).toBeUndefined();
});
