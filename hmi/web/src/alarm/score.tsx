// The score of an asset over the last ten minutes as a small line with the limit at
// which a finding is raised. What lies above the limit is filled.

import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { now } from "../data/clock.ts";
import { get } from "../data/http.ts";
import { link, useLive } from "../data/live.ts";
import { repeat } from "../data/pace.ts";
import { severityOf } from "../data/quality.ts";
import type { Bucket } from "../data/types.ts";
import { t } from "../i18n/text.ts";
import { colour, themed } from "../theme.ts";
import { Rolling } from "../trend/rolling.ts";
import { alarmColour } from "./colours.ts";

const SPAN = 600_000;
const SLICES = 240;
const LEAST = 60_000;

interface ScoreProps {
  asset: string;
  limit: number | null;
  priority: number | null;
  stale: boolean;
}

export function ScoreLine(props: ScoreProps): JSX.Element {
  const tag = `${props.asset}/$SCORE`;
  const live = useLive(tag);
  const rolling = useMemo(() => new Rolling(SPAN / SLICES), [tag]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const stop = new AbortController();
    const width = SPAN / SLICES;
    const from = Math.floor((now() - SPAN) / width) * width;
    get<{ buckets: Bucket[] }>(
      "trend",
      { tag, from: new Date(from).toISOString(), to: new Date(from + width * (SLICES + 1)).toISOString(), buckets: SLICES + 1 },
      stop.signal,
    )
      .then((got) => rolling.fill(got.buckets))
      .catch(() => {}); // no score yet
    return () => stop.abort();
  }, [tag, rolling]);

  useSignalEffect(() => {
    const v = live.value;
    if (v && link.value === "live") rolling.add(v.at, v.value, severityOf(v.status) === "good");
  });
  useEffect(() => repeat(1000, () => canvas.current && paint(canvas.current, rolling, latest.current)).stop, [rolling]);
  useSignalEffect(() => {
    void themed.value;
    if (canvas.current) paint(canvas.current, rolling, latest.current);
  });

  return <canvas ref={canvas} class="score-line" dir="ltr" role="img" aria-label={t("asset.scoreLine")} />;
}

function paint(canvas: HTMLCanvasElement, rolling: Rolling, props: ScoreProps): void {
  const ratio = devicePixelRatio || 1;
  const w = Math.round(canvas.clientWidth * ratio);
  const h = Math.round(canvas.clientHeight * ratio);
  if (w === 0 || h === 0) return;
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  ctx.clearRect(0, 0, w, h);
  const to = now();
  // A works that has only just begun fills its line all the same.
  const from = Math.max(to - SPAN, Math.min(rolling.slices[0]?.at ?? 0, to - LEAST));
  const wide = to - from;
  rolling.dropBefore(from);
  const lines = rolling.lines(false, [], props.stale ? Number.NaN : to);
  const pad = 3 * ratio;
  const x = (at: number) => ((at - from) / wide) * w;
  const y = (v: number) => h - pad - Math.min(1, Math.max(0, v)) * (h - 2 * pad);
  ctx.fillStyle = colour("--grid");
  ctx.fillRect(0, h - ratio, w, ratio);

  const line = new Path2D();
  let down = false;
  for (let i = 0; i < lines.x.length; i++) {
    const v = lines.max[i];
    const px = x(lines.x[i] ?? 0);
    if (v === null || v === undefined) down = false;
    else if (down) line.lineTo(px, y(v));
    else {
      line.moveTo(px, y(v));
      down = true;
    }
  }
  const limit = props.limit;
  if (limit !== null && props.priority !== null && !props.stale) {
    const area = new Path2D();
    let prev: number | null = null;
    for (let i = 0; i < lines.x.length; i++) {
      const v = lines.max[i];
      const px = x(lines.x[i] ?? 0);
      if (v !== null && v !== undefined && v > limit && prev !== null)
        area.rect(prev, y(v), Math.max(1, px - prev), y(limit) - y(v));
      prev = px;
    }
    ctx.fillStyle = alarmColour(props.priority);
    ctx.fill(area);
  }
  ctx.strokeStyle = colour(props.stale ? "--text-muted" : "--pen");
  ctx.lineWidth = 1.5 * ratio;
  ctx.lineJoin = "round";
  ctx.stroke(line);
  if (limit !== null) {
    ctx.strokeStyle = colour("--text-muted");
    ctx.lineWidth = ratio;
    ctx.setLineDash([4 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(0, y(limit));
    ctx.lineTo(w, y(limit));
    ctx.stroke();
    ctx.setLineDash([]);
  }
}
