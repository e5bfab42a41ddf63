// One trend on a canvas: uPlot draws line and axes, this file what a plant
// needs besides: the learned band, declared gaps, bad and stale spans, alarms.
// Time runs left to right in every language.

import uPlot from "uplot";
import { alarmColour } from "../alarm/colours.ts";
import { clock, dayMonth, fixed, hourMinute } from "../format.ts";
import { colour } from "../theme.ts";
import type { BandSpan } from "./bands.ts";
import type { Lines, Span } from "./rolling.ts";
import type { Axis } from "./scale.ts";

export interface GapSpan extends Span {
  text: string;
}

/** LabelSpan is a time about which the crew has said something. */
export interface LabelSpan extends Span {
  text: string;
}

export interface Scene {
  from: number;
  to: number;
  axis: Axis;
  lines: Lines;
  step: boolean;
  bands: readonly BandSpan[];
  gaps: readonly GapSpan[];
  labels: readonly LabelSpan[];
  /** spans without a good value (none) or with some that are not good */
  notGood: readonly (Span & { none: boolean })[];
  /** from when on nothing is live; NaN: live */
  staleFrom: number;
  staleText: string;
  alarms: readonly { at: number; priority: number; active: boolean }[];
  limit: number | null;
}

const FONT = '11px "IBM Plex Sans", system-ui, sans-serif';

export class Chart {
  private readonly plot: uPlot;
  private scene: Scene | null = null;
  private hatches = new Map<string, CanvasPattern>();

  constructor(host: HTMLElement, width: number, height: number, group: string, onCursor: (index: number | null) => void) {
    this.plot = new uPlot(this.options(width, height, group, onCursor), [[], [], [], []], host);
  }

  /** resize to the size of the host, in CSS pixels. */
  resize(width: number, height: number): void {
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  draw(scene: Scene): void {
    this.scene = scene;
    const { x, max, min, mean } = scene.lines;
    this.plot.batch(() => {
      this.plot.setData([x, max, min, mean], false);
      this.plot.setScale("x", { min: scene.from, max: scene.to });
      this.plot.setScale("y", { min: scene.axis.low, max: scene.axis.high });
    });
  }

  /** recolour after a change of theme. */
  recolour(): void {
    this.hatches.clear();
    this.plot.redraw(true, true);
  }

  /** point puts the cursor on a slice, or takes it away. */
  point(index: number | null): void {
    if (index === null) {
      this.plot.setCursor({ left: -10, top: -10 });
      return;
    }
    const x = this.plot.data[0]?.[index];
    if (x !== undefined) this.plot.setCursor({ left: this.plot.valToPos(x, "x"), top: this.plot.bbox.height / 4 });
  }

  destroy(): void {
    this.plot.destroy();
  }

  private options(width: number, height: number, group: string, onCursor: (index: number | null) => void): uPlot.Options {
    const axis = { font: FONT, stroke: () => colour("--text-muted"), ticks: { show: false } };
    return {
      width,
      height,
      ms: 1,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { show: false },
        sync: { key: group, scales: ["x", null] },
      },
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      axes: [
        {
          ...axis,
          size: 24,
          gap: 4,
          space: 64,
          grid: { stroke: () => colour("--grid"), width: 1 },
          values: (_u, splits, _axis, _space, step) =>
            splits.map((s) => (step >= 86_400_000 ? dayMonth(s) : step >= 60_000 ? hourMinute(s) : clock(s))),
        },
        {
          ...axis,
          size: 50,
          gap: 6,
          space: 30,
          grid: { stroke: () => colour("--grid"), width: 1 },
          values: (_u, splits, _axis, _space, step) => {
            let places = Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
            if (Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6) places++; // 2.5
            return splits.map((s) => fixed(s, places));
          },
        },
      ],
      series: [
        {},
        { stroke: "transparent", width: 0, points: { show: false } },
        { stroke: "transparent", width: 0, points: { show: false } },
        { stroke: () => colour("--pen"), width: 1.5, points: { show: false } },
      ],
      bands: [{ series: [1, 2], fill: () => colour("--pen-range") }],
      hooks: {
        drawClear: [(u) => this.under(u)],
        draw: [(u) => this.over(u)],
        setCursor: [(u) => onCursor(u.cursor.idx ?? null)],
      },
    };
  }

  /** under draws below the line: bands, gaps, spans that are not good. */
  private under(u: uPlot): void {
    const s = this.scene;
    if (!s) return;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("--plot");
    ctx.fillRect(bbox.left, bbox.top, bbox.width, bbox.height);

    const x = (t: number) => u.valToPos(t, "x", true);
    const y = (v: number) => u.valToPos(v, "y", true);
    for (const b of s.bands) {
      const x0 = x(b.from);
      const x1 = x(b.to);
      const y0 = y(b.high);
      const y1 = y(b.low);
      ctx.fillStyle = colour("--band");
      ctx.fillRect(x0, y0, x1 - x0, y1 - y0);
      ctx.fillStyle = colour("--band-edge");
      ctx.fillRect(x0, y0, x1 - x0, uPlot.pxRatio);
      ctx.fillRect(x0, y1 - uPlot.pxRatio, x1 - x0, uPlot.pxRatio);
    }
    for (const q of s.notGood) {
      const x0 = x(q.from);
      const w = Math.max(uPlot.pxRatio * 2, x(q.to) - x0);
      const top = q.none ? bbox.top : bbox.top + bbox.height - 8 * uPlot.pxRatio;
      this.hatch(ctx, x0, top, w, bbox.top + bbox.height - top, "--hatch");
    }
    for (const g of s.gaps) {
      const x0 = Math.max(bbox.left, x(g.from));
      const w = Math.max(uPlot.pxRatio * 3, x(Math.min(g.to, s.to)) - x0);
      this.hatch(ctx, x0, bbox.top, w, bbox.height, "--hatch-strong");
      this.label(ctx, g.text, x0, w, bbox.top);
    }
    if (Number.isFinite(s.staleFrom) && s.staleFrom < s.to) {
      const x0 = Math.max(bbox.left, x(s.staleFrom));
      const w = Math.max(uPlot.pxRatio * 3, bbox.left + bbox.width - x0);
      this.hatch(ctx, x0, bbox.top, w, bbox.height, "--hatch-strong");
      this.label(ctx, s.staleText, x0, w, bbox.top);
    }
    ctx.restore();
  }

  /** over draws above the line: the limit and when alarms were raised. */
  private over(u: uPlot): void {
    const s = this.scene;
    if (!s) return;
    const { ctx, bbox } = u;
    const r = uPlot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (s.limit !== null) {
      const y = Math.round(u.valToPos(s.limit, "y", true));
      ctx.strokeStyle = colour("--text-muted");
      ctx.setLineDash([5 * r, 4 * r]);
      ctx.lineWidth = r;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    for (const l of s.labels) {
      const x0 = Math.max(bbox.left, u.valToPos(l.from, "x", true));
      const x1 = Math.min(bbox.left + bbox.width, u.valToPos(l.to, "x", true));
      if (x1 < bbox.left || x0 > bbox.left + bbox.width) continue;
      const w = Math.max(3 * r, x1 - x0);
      ctx.fillStyle = colour("--text");
      ctx.fillRect(x0, bbox.top, w, 3 * r);
      this.label(ctx, l.text, x0, w, bbox.top);
    }
    for (const a of s.alarms) {
      if (a.at < s.from || a.at > s.to) continue;
      const x = Math.round(u.valToPos(a.at, "x", true));
      ctx.fillStyle = a.active ? alarmColour(a.priority) : colour("--fill");
      ctx.strokeStyle = colour("--alarm-ink");
      ctx.lineWidth = r;
      ctx.fillRect(x - r, bbox.top, 2 * r, bbox.height);
      ctx.beginPath();
      ctx.moveTo(x - 5 * r, bbox.top);
      ctx.lineTo(x + 5 * r, bbox.top);
      ctx.lineTo(x, bbox.top + 8 * r);
      ctx.closePath();
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  private hatch(ctx: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, token: string): void {
    let p = this.hatches.get(token);
    if (!p) {
      const size = Math.round(8 * uPlot.pxRatio);
      const tile = document.createElement("canvas");
      tile.width = tile.height = size;
      const c = tile.getContext("2d");
      if (!c) return;
      c.strokeStyle = colour(token);
      c.lineWidth = 1.5 * uPlot.pxRatio;
      c.beginPath();
      for (const d of [-size, 0, size]) {
        c.moveTo(d, size);
        c.lineTo(d + size, 0);
      }
      c.stroke();
      const made = ctx.createPattern(tile, "repeat");
      if (!made) return;
      p = made;
      this.hatches.set(token, p);
    }
    ctx.fillStyle = p;
    ctx.fillRect(x, y, w, h);
  }

  private label(ctx: CanvasRenderingContext2D, text: string, x: number, w: number, top: number): void {
    const r = uPlot.pxRatio;
    ctx.font = FONT.replace("11px", `${11 * r}px`);
    const wide = ctx.measureText(text).width;
    if (wide + 12 * r > w) return;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.fillStyle = colour("--plot");
    ctx.fillRect(x + 4 * r, top + 5 * r, wide + 8 * r, 16 * r);
    ctx.fillStyle = colour("--text");
    ctx.fillText(text, x + 8 * r, top + 13.5 * r);
  }
}
