// A trend in memory: equal slices of time with minimum, maximum and mean, filled
// from history and kept by live values. Pure; times in ms.

import type { Bucket } from "../data/types.ts";

export interface Slice {
  at: number; // start
  min: number; // NaN: no good value
  max: number;
  mean: number;
  last: number;
  good: number; // samples
  all: number;
}

export interface Lines {
  /** middle of the slices */
  x: number[];
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  /** good share of the samples of the slice; 1 where there are none */
  good: number[];
}

export interface Span {
  from: number;
  to: number;
}

/** After that many empty slices in a row a value is drawn as held, not as a slope. */
const HOLD = 4;

export class Rolling {
  readonly width: number;
  readonly slices: Slice[] = [];

  constructor(width: number) {
    this.width = width;
  }

  /** fill takes buckets of history. Slices that live values have made already stay. */
  fill(buckets: readonly Bucket[]): void {
    const live = new Map(this.slices.map((s) => [s.at, s]));
    for (const b of buckets) {
      if (b.count === 0) continue;
      const at = this.floor(Date.parse(b.t));
      const good = Math.round(b.count * b.good);
      const none = b.mean === null || good === 0;
      const s: Slice = {
        at,
        min: none ? Number.NaN : (b.min ?? Number.NaN),
        max: none ? Number.NaN : (b.max ?? Number.NaN),
        mean: none ? Number.NaN : (b.mean ?? Number.NaN),
        last: none ? Number.NaN : (b.mean ?? Number.NaN),
        good,
        all: b.count,
      };
      const old = live.get(at);
      if (!old || old.all < s.all) live.set(at, s);
    }
    const sorted = [...live.values()].sort((a, b) => a.at - b.at);
    this.slices.length = 0;
    this.slices.push(...sorted);
  }

  /** add takes a live value. What is older than the last slice is left to history. */
  add(at: number, value: number, good: boolean): void {
    const start = this.floor(at);
    let s = this.slices[this.slices.length - 1];
    if (!s || start > s.at) {
      s = { at: start, min: Number.NaN, max: Number.NaN, mean: Number.NaN, last: Number.NaN, good: 0, all: 0 };
      this.slices.push(s);
    } else if (start < s.at) {
      return;
    }
    s.all++;
    if (!good || !Number.isFinite(value)) return;
    s.good++;
    if (s.good === 1 || Number.isNaN(s.mean)) {
      s.min = s.max = s.mean = value;
    } else {
      s.min = Math.min(s.min, value);
      s.max = Math.max(s.max, value);
      s.mean += (value - s.mean) / s.good;
    }
    s.last = value;
  }

  /** dropBefore forgets what has left the window, but the last slice before it, which the line comes from. */
  dropBefore(at: number): void {
    let n = 0;
    while (n + 1 < this.slices.length && (this.slices[n + 1] as Slice).at + this.width < at) n++;
    if (n > 0) this.slices.splice(0, n);
  }

  /**
   * lines gives what to draw. A value holds until the next one; a declared gap
   * or a slice without a good value breaks the line. until: how far the last
   * value is known to hold, NaN where it is not.
   */
  lines(step: boolean, gaps: readonly Span[], until: number): Lines {
    const out: Lines = { x: [], mean: [], min: [], max: [], good: [] };
    const half = this.width / 2;
    let prev: Slice | null = null;
    let broken: Span[] = [];
    const point = (x: number, v: number, min: number, max: number, good: number) => {
      const none = Number.isNaN(v);
      out.x.push(x);
      out.mean.push(none ? null : v);
      out.min.push(none ? null : min);
      out.max.push(none ? null : max);
      out.good.push(good);
    };
    for (const s of this.slices) {
      const x = s.at + half;
      if (prev) {
        const from = prev.at + half;
        broken = gaps.filter((g) => g.to > from && g.from < x);
        const first = broken[0];
        const missing = Math.round((s.at - prev.at) / this.width) - 1;
        if (first) {
          const edge = Math.max(from, first.from);
          if (edge > from) point(edge, prev.last, prev.last, prev.last, 1);
          point(edge + 1, Number.NaN, 0, 0, 1);
        } else if (step || missing >= HOLD) {
          point(x - Math.min(1, half), prev.last, prev.last, prev.last, 1);
        }
      }
      point(x, s.mean, s.min, s.max, s.all === 0 ? 1 : s.good / s.all);
      prev = s;
    }
    if (prev && Number.isFinite(until) && until > prev.at + half) point(until, prev.last, prev.last, prev.last, 1);
    return out;
  }

  /** notGood gives the spans whose samples were not all good. */
  notGood(): (Span & { none: boolean })[] {
    const out: (Span & { none: boolean })[] = [];
    for (const s of this.slices) {
      if (s.all === 0 || s.good === s.all) continue;
      const none = s.good === 0;
      const last = out[out.length - 1];
      if (last && last.none === none && s.at - last.to < this.width * 1.5) last.to = s.at + this.width;
      else out.push({ from: s.at, to: s.at + this.width, none });
    }
    return out;
  }

  /** range is the least and greatest value inside the window, NaN where there is none. */
  range(from: number): [number, number] {
    let low = Number.NaN;
    let high = Number.NaN;
    for (const s of this.slices) {
      if (s.at + this.width < from || Number.isNaN(s.min)) continue;
      if (!(low <= s.min)) low = s.min;
      if (!(high >= s.max)) high = s.max;
    }
    return [low, high];
  }

  private floor(at: number): number {
    return Math.floor(at / this.width) * this.width;
  }
}
