// The windows that a trend can show.

export interface Window {
  key: "5m" | "1h" | "8h" | "24h" | "7d";
  span: number; // ms
  /** how often the drawing moves on, ms */
  every: number;
}

export const windows: readonly Window[] = [
  { key: "5m", span: 300_000, every: 500 },
  { key: "1h", span: 3_600_000, every: 2_000 },
  { key: "8h", span: 28_800_000, every: 5_000 },
  { key: "24h", span: 86_400_000, every: 10_000 },
  { key: "7d", span: 604_800_000, every: 30_000 },
];

/** How many slices a window is cut into. */
export const SLICES = 600;

/** The shortest time axis, for works that have only just begun. */
const LEAST = 60_000;

/** begin is where the time axis starts: at the first value there is, when the works is younger than the window. */
export function begin(w: Window, now: number, earliest: number): number {
  return Number.isFinite(earliest) ? Math.max(now - w.span, Math.min(earliest, now - LEAST)) : now - w.span;
}

export function windowOf(key: string | null): Window {
  return windows.find((w) => w.key === key) ?? (windows[0] as Window);
}
