import { afterEach, beforeEach, expect, test, vi } from "vitest";

// A page whose frames, messages and clock are in the hands of the test.
let clock = 0;
let frame: (() => void) | null = null;
let painted: () => void = () => {};

beforeEach(() => {
  vi.resetModules();
  vi.useFakeTimers();
  clock = 1000;
  frame = null;
  vi.stubGlobal("performance", { now: () => clock });
  vi.stubGlobal("requestAnimationFrame", (act: () => void) => {
    frame = act;
  });
  vi.stubGlobal(
    "MessageChannel",
    class {
      port1 = { onmessage: () => {} };
      port2 = { postMessage: () => {} };
      constructor() {
        painted = () => this.port1.onmessage();
      }
    },
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** draw runs the frame that was asked for, whose layout and paint take so many ms. */
function draw(paint: number): void {
  const act = frame;
  frame = null;
  if (!act) throw new Error("no frame was asked for");
  act();
  clock += paint;
  painted();
}

function pass(ms: number): void {
  clock += ms;
  vi.advanceTimersByTime(ms);
}

test("the page rests for twice as long as its frame took", async () => {
  const { repeat } = await import("../src/data/pace.ts");
  let n = 0;
  repeat(20, () => n++);
  draw(30);
  expect(n).toBe(1);
  pass(59);
  expect(frame).toBeNull();
  pass(1);
  draw(1);
  expect(n).toBe(2);
  pass(18);
  expect(frame).toBeNull(); // a quick frame: when it is due
  pass(1);
  expect(frame).not.toBeNull();
});

test("what is asked for comes in the next frame, and once", async () => {
  const { repeat } = await import("../src/data/pace.ts");
  let n = 0;
  const turn = repeat(1000, () => n++);
  draw(0);
  pass(10);
  turn.soon();
  turn.soon();
  draw(0);
  expect(n).toBe(2);
  expect(frame).toBeNull();
  turn.stop();
  pass(5000);
  draw(0); // was asked for before the stop
  pass(5000);
  expect(frame).toBeNull();
  expect(n).toBe(2);
});

test("what is too much for a frame comes first in the next", async () => {
  const { repeat } = await import("../src/data/pace.ts");
  const seen: string[] = [];
  for (const name of ["a", "b", "c"]) {
    repeat(1, () => {
      seen.push(name);
      clock += 6;
    });
  }
  draw(0);
  expect(seen).toEqual(["a", "b"]);
  pass(100);
  draw(0);
  expect(seen).toEqual(["a", "b", "c", "a"]);
});

test("a turn that fails stops no other", async () => {
  const { repeat } = await import("../src/data/pace.ts");
  let n = 0;
  repeat(10, () => n++);
  repeat(10, () => {
    throw new Error("no canvas");
  });
  for (let i = 0; i < 3; i++) {
    expect(() => draw(0)).toThrow("no canvas");
    painted(); // a browser goes on
    pass(20);
  }
  expect(n).toBe(3);
});
