import { expect, test } from "vitest";
import { byUrgency, count, emptyBook, type Filter, matches, merge } from "../src/data/alarmbook.ts";
import type { Alarm } from "../src/data/types.ts";

function alarm(change: Partial<Alarm>): Alarm {
  return {
    id: 1,
    asset: "HSM/FM/F3/GBX",
    class: "alarm",
    state: "unacked",
    priority: 2,
    title: "High: HSM/FM/F3/GBX/VIB_H",
    raised: "2026-11-22T00:05:00.120Z",
    returned: null,
    acked: null,
    acked_by: null,
    count: 1,
    seq: 1,
    edge: "demo",
    note: null,
    finding: {
      detector: "limit",
      score: 1,
      limit: 4.5,
      contributions: [],
      key: "k",
      kind: "limit.high",
      phase: "raise",
      tag: "HSM/FM/F3/GBX/VIB_H",
      mode: null,
      time: "2026-11-22T00:05:00.120Z",
      value: 4.6,
      unit: "mm/s",
      extrapolated: false,
    },
    ...change,
  };
}

test("of one alarm the largest journal number wins, in every order of arrival", () => {
  const steps = [alarm({ seq: 1 }), alarm({ seq: 5, state: "acked" }), alarm({ seq: 9, state: "cleared" })];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  for (const order of orders) {
    let book = emptyBook;
    for (const i of order) book = merge(book, [steps[i] as Alarm]);
    expect(book.get(1)?.state, String(order)).toBe("cleared");
  }
});

test("what is known already changes nothing, so that nothing is drawn again", () => {
  const book = merge(emptyBook, [alarm({ seq: 3 })]);
  expect(merge(book, [alarm({ seq: 3 })])).toBe(book);
  expect(merge(book, [alarm({ seq: 2, state: "acked" })])).toBe(book);
  expect(merge(book, [alarm({ seq: 4, state: "acked" })])).not.toBe(book);
});

test("counts: returned ones are open, cleared ones are not", () => {
  const c = count([
    alarm({ id: 1, priority: 1 }),
    alarm({ id: 2, priority: 1, state: "rtn_unacked" }),
    alarm({ id: 3, priority: 4, state: "acked" }),
    alarm({ id: 4, priority: 2, state: "cleared" }),
  ]);
  expect(c).toEqual({ open: 3, unacked: 2, byPriority: [2, 0, 0, 1], activeByPriority: [1, 0, 0, 1] });
});

test("urgency: active, priority, unseen, class, newest", () => {
  const list = [
    alarm({ id: 1, priority: 1, state: "rtn_unacked" }),
    alarm({ id: 2, priority: 3 }),
    alarm({ id: 3, priority: 2, state: "acked" }),
    alarm({ id: 4, priority: 2, class: "sensor" }),
    alarm({ id: 5, priority: 2 }),
    alarm({ id: 6, priority: 2, raised: "2026-11-22T01:00:00.000Z" }),
  ];
  expect(list.sort(byUrgency).map((a) => a.id)).toEqual([6, 5, 4, 3, 2, 1]);
});

test("filters", () => {
  const all: Filter = { show: "all", priority: 0, class: "", asset: "", text: "" };
  const a = alarm({});
  const f = (change: Partial<Filter>, change2: Partial<Alarm> = {}) => matches(alarm(change2), { ...all, ...change });
  expect(matches(a, all)).toBe(true);
  expect(f({ show: "open" }, { state: "cleared" })).toBe(false);
  expect(f({ show: "open" }, { state: "rtn_unacked" })).toBe(true);
  expect(f({ show: "active" }, { state: "rtn_unacked" })).toBe(false);
  expect(f({ show: "unacked" }, { state: "acked" })).toBe(false);
  expect(f({ show: "cleared" }, { state: "cleared" })).toBe(true);
  expect(f({ priority: 3 })).toBe(false);
  expect(f({ class: "sensor" })).toBe(false);
  expect(f({ asset: "HSM/FM" })).toBe(true);
  expect(f({ asset: "HSM/F" })).toBe(false);
  expect(f({ text: "vib_h" })).toBe(true);
  expect(f({ text: "oil" })).toBe(false);
});
