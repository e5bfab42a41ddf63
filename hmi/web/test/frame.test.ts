import { expect, test } from "vitest";
import { decodeFrame, type FrameItem } from "../src/data/frame.ts";

function frame(items: [number, number, number, number][]): ArrayBuffer {
  const buf = new ArrayBuffer(2 + items.length * 12);
  const v = new DataView(buf);
  v.setUint16(0, items.length, true);
  items.forEach(([id, age, status, value], i) => {
    const at = 2 + i * 12;
    v.setUint16(at, id, true);
    v.setUint16(at + 2, age, true);
    v.setUint32(at + 4, status, true);
    v.setFloat32(at + 8, value, true);
  });
  return buf;
}

function all(buf: ArrayBuffer): { n: number; items: FrameItem[] } {
  const items: FrameItem[] = [];
  const n = decodeFrame(buf, (i) => items.push({ ...i }));
  return { n, items };
}

test("every item of a frame is read, little-endian", () => {
  const { n, items } = all(
    frame([
      [1, 12, 0, 1.5],
      [65535, 65535, 0x408f0000, -2],
    ]),
  );
  expect(n).toBe(2);
  expect(items[0]).toEqual({ id: 1, age: 120, status: 0, value: 1.5 });
  expect(items[1]).toEqual({ id: 65535, age: Number.NaN, status: 0x408f0000, value: -2 });
});

test("the bytes of the interface's description", () => {
  const bytes = new Uint8Array([1, 0, 7, 0, 3, 0, 0, 0, 0x32, 0x80, 0, 0, 0xc0, 0x7f]);
  const { n, items } = all(bytes.buffer);
  expect(n).toBe(1);
  expect(items[0]).toEqual({ id: 7, age: 30, status: 0x80320000, value: Number.NaN });
});

test("an empty frame is a heartbeat", () => {
  expect(all(frame([])).n).toBe(0);
});

test("half a frame calls nothing", () => {
  const whole = new Uint8Array(
    frame([
      [1, 0, 0, 1],
      [2, 0, 0, 2],
    ]),
  );
  for (let cut = 0; cut < whole.length; cut++) {
    const { n, items } = all(whole.slice(0, cut).buffer);
    expect(n).toBe(-1);
    expect(items).toEqual([]);
  }
  const more = new Uint8Array(whole.length + 1);
  more.set(whole);
  expect(all(more.buffer).n).toBe(-1);
});

test("random bytes never throw and never give more items than they hold", () => {
  let seed = 7;
  for (let i = 0; i < 2000; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const bytes = new Uint8Array(seed % 64);
    for (let j = 0; j < bytes.length; j++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      bytes[j] = seed >>> 24;
    }
    const { n, items } = all(bytes.buffer);
    expect(n === -1 ? 0 : n).toBe(items.length);
    expect(items.length * 12).toBeLessThanOrEqual(bytes.length);
  }
});
