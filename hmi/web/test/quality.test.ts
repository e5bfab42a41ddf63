import { expect, test } from "vitest";
import { STALE, severityOf, severityOfName, statusName } from "../src/data/quality.ts";

test("severity of codes, with and without info bits", () => {
  expect(severityOf(0)).toBe("good");
  expect(severityOf(0x00000480)).toBe("good"); // overflow bit
  expect(severityOf(STALE)).toBe("stale");
  expect(severityOf(STALE + 0x480)).toBe("stale");
  expect(severityOf(0x40900000)).toBe("uncertain");
  expect(severityOf(0x808c0000)).toBe("bad");
  expect(severityOf(0xc0000000)).toBe("bad");
});

test("names and codes say the same", () => {
  for (const code of [0, 0x40000000, STALE, 0x40900000, 0x80000000, 0x80320000, 0x808c0000])
    expect(severityOfName(statusName(code))).toBe(severityOf(code));
  expect(statusName(0x81234000)).toBe("0x81234000");
  expect(severityOfName("0x81230000")).toBe("bad");
  expect(severityOfName("0x41230000")).toBe("uncertain");
  expect(severityOfName("SomethingNew")).toBe("bad");
});
