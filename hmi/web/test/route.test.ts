import { beforeAll, expect, test, vi } from "vitest";

let route: typeof import("../src/route.ts");
beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/", search: "" });
  route = await import("../src/route.ts");
});

test("addresses of pages read back", () => {
  for (const asset of ["HSM/FM/F3/GBX", "A B/ü%/x?y#z"])
    expect(route.parse(route.assetPath(asset))).toEqual({ page: "asset", asset });
  expect(route.parse(route.alarmPath(17))).toEqual({ page: "alarms", id: 17 });
  expect(route.parse("/")).toEqual({ page: "plant" });
  expect(route.parse("/edges")).toEqual({ page: "edges" });
});

test("what is no page is missing, and nothing throws", () => {
  for (const p of ["/a/", "/a/%E0%A4%A", "/alarms/x", "/alarms/1/2", "/nowhere", "/alarms/99999999999999999999"])
    expect(route.parse(p), p).toEqual({ page: "missing" });
});
