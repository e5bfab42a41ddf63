// Binary frames of live values: u16 count, then count × (u16 id, u16 age in
// 10 ms or 65535, u32 status, f32 value), little-endian.

const HEAD = 2;
const ITEM = 12;
const NO_AGE = 65535;

/** The greatest age that an item can tell, ms. */
export const GREATEST_AGE = NO_AGE * 10;

export interface FrameItem {
  id: number;
  /** age at sending in ms, NaN where it is unknown or longer than the field holds */
  age: number;
  status: number;
  /** NaN: no value */
  value: number;
}

/**
 * decodeFrame calls each for every item and reuses one item object. It gives
 * the number of items, or -1 where the bytes are no frame (nothing is called
 * then: half a frame is not to be trusted).
 */
export function decodeFrame(bytes: ArrayBuffer, each: (item: FrameItem) => void): number {
  if (bytes.byteLength < HEAD) return -1;
  const view = new DataView(bytes);
  const count = view.getUint16(0, true);
  if (bytes.byteLength !== HEAD + count * ITEM) return -1;
  const item: FrameItem = { id: 0, age: 0, status: 0, value: 0 };
  for (let i = 0, at = HEAD; i < count; i++, at += ITEM) {
    const age = view.getUint16(at + 2, true);
    item.id = view.getUint16(at, true);
    item.age = age === NO_AGE ? Number.NaN : age * 10;
    item.status = view.getUint32(at + 4, true);
    item.value = view.getFloat32(at + 8, true);
    each(item);
  }
  return count;
}
