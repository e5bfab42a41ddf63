// The amplitude spectrum of a burst, and what a picture of either needs: for each
// column of pixels the least and the greatest value.

/** Span is the least and the greatest value of a column. */
export interface Span {
  low: number;
  high: number;
}

/**
 * spectrum gives the amplitude of each frequency from 0 to half the rate: of a sine
 * in the middle of a column its peak. The mean is taken off, a Hann window over the
 * newest power of two of values keeps a tone from leaking into its neighbours. What
 * is no number counts as the mean.
 */
export function spectrum(values: readonly (number | null)[]): Float64Array {
  let n = 1;
  while (n * 2 <= values.length) n *= 2;
  if (n < 4) return new Float64Array(0);
  const part = values.slice(values.length - n);
  let sum = 0;
  let known = 0;
  for (const v of part) {
    if (v === null) continue;
    sum += v;
    known++;
  }
  const mean = known > 0 ? sum / known : 0;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  part.forEach((v, i) => {
    re[i] = v === null ? 0 : (v - mean) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));
  });
  transform(re, im);
  // Half of the values' weight is in the window, half of a sine's in each sign.
  const out = new Float64Array(n / 2 + 1);
  for (let k = 0; k < out.length; k++) out[k] = (4 * Math.hypot(at(re, k), at(im, k))) / n;
  return out;
}

function at(list: Float64Array, i: number): number {
  return list[i] ?? 0;
}

/** transform is the fast Fourier transform in place, of a power of two of values. */
function transform(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [at(re, j), at(re, i)];
      [im[i], im[j]] = [at(im, j), at(im, i)];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const angle = (-2 * Math.PI * k) / size;
      const c = Math.cos(angle);
      const s = Math.sin(angle);
      for (let i = k; i < n; i += size) {
        const j = i + half;
        const x = at(re, j) * c - at(im, j) * s;
        const y = at(re, j) * s + at(im, j) * c;
        re[j] = at(re, i) - x;
        im[j] = at(im, i) - y;
        re[i] = at(re, i) + x;
        im[i] = at(im, i) + y;
      }
    }
  }
}

/** columns sorts values into at most so many columns; one without a number is left out. */
export function columns(values: ArrayLike<number | null>, most: number): (Span | null)[] {
  const n = Math.min(most, values.length);
  const out: (Span | null)[] = [];
  for (let c = 0; c < n; c++) {
    let span: Span | null = null;
    const end = Math.floor(((c + 1) * values.length) / n);
    for (let i = Math.floor((c * values.length) / n); i < end; i++) {
      const v = values[i];
      if (v === null || v === undefined || !Number.isFinite(v)) continue;
      span = span === null ? { low: v, high: v } : { low: Math.min(span.low, v), high: Math.max(span.high, v) };
    }
    out.push(span);
  }
  return out;
}

/** strongest is the place of the greatest amplitude, the first column left out; -1: none. */
export function strongest(amplitudes: Float64Array): number {
  let best = -1;
  for (let k = 1; k < amplitudes.length; k++) {
    if (at(amplitudes, k) > (best < 0 ? 0 : at(amplitudes, best))) best = k;
  }
  return best;
}
