// The value axis of a trend: wide enough for line and learned band, steady while
// values move, never so narrow that the sensor's last digit looks like a storm.

export interface Axis {
  low: number;
  high: number;
}

/**
 * fitAxis gives the axis for the values [low, high]. It keeps the old axis while the
 * values lie inside it and use at least 40 % of it. least: the narrowest axis.
 */
export function fitAxis(old: Axis | null, low: number, high: number, least: number): Axis {
  if (Number.isNaN(low) || Number.isNaN(high)) return old ?? { low: 0, high: 1 };
  if (old && low >= old.low && high <= old.high && high - low >= (old.high - old.low) * 0.4) return old;
  const middle = (low + high) / 2;
  let half = Math.max((high - low) / 2, least / 2, Math.abs(middle) * 1e-6, 1e-9);
  if (old && low >= old.low && high <= old.high && half * 1.3 >= ((old.high - old.low) / 2) * 0.55) return old;
  half *= 1.3;
  const a = { low: middle - half, high: middle + half };
  // A quantity that is never negative gets no negative axis.
  if (low >= 0 && a.low < 0) a.low = 0;
  return a;
}

/** withBand widens the values by the learned band, unless the band would flatten the line. */
export function withBand(low: number, high: number, bands: readonly (readonly [number, number])[]): [number, number] {
  let l = low;
  let h = high;
  for (const [a, b] of bands) {
    if (!Number.isFinite(a) || !Number.isFinite(b)) continue;
    const span = Math.max(h - l, Math.abs(h) * 0.05, 1e-9);
    if (Number.isNaN(l) || (b - a < span * 12 && Math.abs(a - l) < span * 12 && Math.abs(b - h) < span * 12)) {
      l = Number.isNaN(l) ? a : Math.min(l, a);
      h = Number.isNaN(h) ? b : Math.max(h, b);
    }
  }
  return [l, h];
}
