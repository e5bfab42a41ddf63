// A trend card: name, present value with quality and age, and the chart. The
// chart takes focus, arrow keys move its cursor, the value under the cursor is
// read out, and the same numbers are there as a table.

import { type ReadonlySignal, type Signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { word } from "../alarm/words.tsx";
import { isActive } from "../data/alarmbook.ts";
import { now } from "../data/clock.ts";
import { get } from "../data/http.ts";
import { link } from "../data/live.ts";
import { repeat } from "../data/pace.ts";
import { type Reading, useReading } from "../data/reading.ts";
import type { Alarm, Bucket, Gap, Tag } from "../data/types.ts";
import { decimals, fixed, moment, percent, short, withUnit } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num, TagName } from "../parts/data.tsx";
import { Icon } from "../parts/icons.tsx";
import { QualityWord, ReadingAge, Value } from "../parts/reading.tsx";
import { themed } from "../theme.ts";
import { bandSpans, type Learned, modeSpans } from "./bands.ts";
import { Chart, type LabelSpan } from "./chart.ts";
import { type Lines, Rolling } from "./rolling.ts";
import { type Axis, fitAxis, withBand } from "./scale.ts";
import { begin, SLICES, type Window } from "./spans.ts";
import { TrendTable } from "./table.tsx";

export interface CardProps {
  tag: Tag;
  window: Window;
  learned: Learned;
  gaps: ReadonlySignal<readonly Gap[]>;
  labels: ReadonlySignal<readonly LabelSpan[]>;
  /** the oldest value that any trend of the page has found, ms */
  earliest: Signal<number>;
  alarms: readonly Alarm[];
  share: number | null;
  limit?: number | null;
  /** a fixed axis; else it follows the values */
  axis?: Axis;
  title?: string;
}

export function TrendCard(props: CardProps): JSX.Element {
  const { tag } = props;
  const reading = useReading(tag);
  const shown = useSignal(false);
  const seenOnce = useSignal(false);
  const drawn = useRef<Lines | null>(null);
  const grown = useSignal(false);
  const table = useSignal(false);
  const answered = useSignal(false);
  const cursor = useSignal<number | null>(null);
  const card = useRef<HTMLElement>(null);
  const rolling = useMemo(() => new Rolling(props.window.span / SLICES), [props.window, tag.path]);

  useEffect(() => {
    if (!card.current) return;
    const watch = new IntersectionObserver(
      (seen) => {
        shown.value = seen[seen.length - 1]?.isIntersecting ?? false;
        if (shown.value) seenOnce.value = true;
      },
      { rootMargin: "500px" },
    );
    watch.observe(card.current);
    return () => watch.disconnect();
  }, []);

  const id = `t-${tag.path}`;
  return (
    <section ref={card} class={`trend panel${grown.value ? " grown" : ""}`} aria-labelledby={id} data-trend={tag.path}>
      <header class="trend-head">
        <div class="trend-name">
          <h3 id={id}>{props.title ?? <TagName path={tag.path} asset={tag.asset} />}</h3>
          <p class="muted clip">
            <bdi>{tag.description}</bdi>
          </p>
        </div>
        <div class="trend-now">
          <Value path={tag.path} reading={reading} scale={tag} />
          <span class="trend-quality">
            <QualityWord reading={reading} /> <ReadingAge reading={reading} />
          </span>
        </div>
      </header>
      <TrendCanvas
        {...props}
        rolling={rolling}
        reading={reading}
        shown={shown}
        wanted={seenOnce}
        answered={answered}
        cursor={cursor}
        drawn={drawn}
      />
      <footer class="trend-foot">
        <CursorText tag={tag} drawn={drawn} cursor={cursor} />
        {props.share !== null && (
          <span class="share-chip">
            {t("trend.share")} <Num>{percent(props.share)}</Num>
          </span>
        )}
        <button
          type="button"
          class="plain"
          aria-pressed={table.value}
          aria-label={t("trend.table")}
          title={t("trend.table")}
          onClick={() => {
            table.value = !table.value;
          }}
        >
          <Icon name="table" />
        </button>
        <button
          type="button"
          class="plain grow"
          aria-pressed={grown.value}
          aria-label={t("trend.grow")}
          title={t("trend.grow")}
          onClick={() => {
            grown.value = !grown.value;
          }}
        >
          <Icon name={grown.value ? "shrink" : "grow"} />
        </button>
      </footer>
      {/* a table does not change once it is open, but for what comes of history */}
      {table.value && <TrendTable key={String(answered.value)} tag={tag} rolling={rolling} />}
    </section>
  );
}

interface CanvasProps extends CardProps {
  rolling: Rolling;
  reading: ReadonlySignal<Reading>;
  shown: ReadonlySignal<boolean>;
  /** it has been on screen: history is worth asking for */
  wanted: ReadonlySignal<boolean>;
  /** history was asked for, and came or did not */
  answered: Signal<boolean>;
  cursor: Signal<number | null>;
  drawn: { current: Lines | null };
}

interface Drawing {
  chart: Chart | null;
  axis: Axis | null;
  /** when values stopped being live; NaN: they are */
  staleFrom: number;
  /** the cursor was put there by the keyboard */
  keyed: boolean;
  /** asks for a drawing in the next frame */
  soon: () => void;
}

function TrendCanvas(props: CanvasProps): JSX.Element {
  const { tag, window, rolling, reading, shown, cursor, learned } = props;
  const host = useRef<HTMLDivElement>(null);
  const state = useRef<Drawing>({ chart: null, axis: null, staleFrom: Number.NaN, keyed: false, soon: () => {} });
  const alarms = props.alarms;
  const latest = useRef(alarms);
  latest.current = alarms;

  // History first, and again after each outage: what was missed is there now.
  const round = useSignal(0);
  useSignalEffect(() => {
    if (link.value === "live") round.value = round.peek() + 1;
  });
  const wanted = props.wanted.value;
  useEffect(() => {
    if (!wanted || round.value === 0) return;
    const stop = new AbortController();
    const to = now();
    const width = window.span / SLICES;
    const from = Math.floor((to - window.span) / width) * width;
    get<{ buckets: Bucket[] }>(
      "trend",
      {
        tag: tag.path,
        from: new Date(from).toISOString(),
        to: new Date(from + width * (SLICES + 1)).toISOString(),
        buckets: SLICES + 1,
      },
      stop.signal,
    )
      .then((got) => {
        rolling.fill(got.buckets);
        const first = got.buckets.find((b) => b.count > 0);
        props.earliest.value = Math.min(props.earliest.peek(), first ? Date.parse(first.t) : to);
        state.current.soon();
      })
      .catch(() => {}) // a tag without history: live values fill it
      .finally(() => {
        props.answered.value ||= !stop.signal.aborted;
      });
    return () => stop.abort();
  }, [tag.path, window, round.value, wanted, rolling]);

  useSignalEffect(() => {
    const r = reading.value;
    const s = state.current;
    if (r.severity === "stale") {
      if (Number.isNaN(s.staleFrom)) s.staleFrom = now();
      s.soon();
      return;
    }
    s.staleFrom = Number.NaN;
    if (r.severity === "none" || r.text !== null || link.peek() !== "live") return;
    rolling.add(Number.isFinite(r.at) ? r.at : now(), r.value, r.severity === "good");
  });

  useEffect(() => {
    if (!host.current) return;
    const el = host.current;
    const s = state.current;
    const chart = new Chart(el, el.clientWidth, el.clientHeight, "trends", (i) => {
      cursor.value = i;
    });
    s.chart = chart;
    const size = new ResizeObserver(() => chart.resize(el.clientWidth, el.clientHeight));
    size.observe(el);
    return () => {
      size.disconnect();
      s.chart = null;
      chart.destroy();
    };
  }, []);

  useSignalEffect(() => {
    void themed.value;
    state.current.chart?.recolour();
  });

  useEffect(() => {
    const s = state.current;
    s.axis = null;
    const turn = repeat(window.every, () => {
      if (!shown.peek() || !s.chart) return;
      const to = now();
      const from = begin(window, to, props.earliest.peek());
      rolling.dropBefore(from);
      const r = reading.peek();
      const gaps = props.gaps.peek().filter((g) => g.tag === tag.path);
      const spans = gaps.map((g) => ({ from: Date.parse(g.from), to: Date.parse(g.to), text: word("gap", g.reason) }));
      const held = r.severity === "good" ? to : s.staleFrom;
      const lines = rolling.lines(tag.kind !== "analog", spans, held);
      const modes = modeSpans(learned.changes.peek(), from, to);
      const known = learned.models.peek();
      const present = learned.model.peek();
      const bands =
        modes.length > 0
          ? bandSpans(modes, known, tag.path)
          : present
            ? bandSpans([{ from, to, mode: present.mode }], known, tag.path)
            : [];
      const [low, high] = rolling.range(from);
      const limit = props.limit ?? null;
      const [l, h] = withBand(low, high, [
        ...bands.map((b) => [b.low, b.high] as const),
        ...(limit === null ? [] : [[limit, limit] as const]),
      ]);
      const least = Math.max((tag.resolution ?? 0) * 8, ((tag.high ?? 0) - (tag.low ?? 0)) * 0.01);
      s.axis = props.axis ?? fitAxis(s.axis, l, h, least);
      props.drawn.current = lines;
      s.chart.draw({
        from,
        to,
        axis: s.axis,
        lines,
        step: tag.kind !== "analog",
        bands,
        gaps: spans,
        labels: props.labels.peek(),
        notGood: rolling.notGood(),
        staleFrom: s.staleFrom,
        staleText: t("quality.stale"),
        alarms: latest.current.map((a) => ({ at: Date.parse(a.raised), priority: a.priority, active: isActive(a) })),
        limit,
      });
    });
    s.soon = turn.soon;
    return turn.stop;
  }, [tag.path, window, rolling]);

  const move = (by: number | "first" | "last") => {
    const s = state.current;
    const n = props.drawn.current?.x.length ?? 0;
    if (!s.chart || n === 0) return;
    s.keyed = true;
    const at = cursor.value ?? n - 1;
    const to = by === "first" ? 0 : by === "last" ? n - 1 : Math.min(n - 1, Math.max(0, at + by));
    s.chart.point(to);
    cursor.value = to;
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: a drawing is no fieldset
    <div
      ref={host}
      class="trend-canvas"
      dir="ltr"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the chart's cursor
      tabIndex={0}
      role="group"
      aria-roledescription={t("trend.role")}
      aria-label={t("trend.label", { tag: tag.path })}
      onKeyDown={(e) => {
        const step = e.shiftKey ? 20 : 1;
        if (e.key === "ArrowLeft") move(-step);
        else if (e.key === "ArrowRight") move(step);
        else if (e.key === "Home") move("first");
        else if (e.key === "End") move("last");
        else if (e.key === "Escape") {
          state.current.keyed = false;
          state.current.chart?.point(null);
          cursor.value = null;
        } else return;
        e.preventDefault();
      }}
      onBlur={() => {
        if (!state.current.keyed) return;
        state.current.keyed = false;
        state.current.chart?.point(null);
        cursor.value = null;
      }}
    />
  );
}

/** CursorText is time and value under the cursor, also read out. */
function CursorText(props: { tag: Tag; drawn: { current: Lines | null }; cursor: ReadonlySignal<number | null> }): JSX.Element {
  const spoken = useSignal("");
  const places = decimals(props.tag);
  const text = useComputed(() => {
    const i = props.cursor.value;
    const lines = props.drawn.current;
    if (i === null || !lines) return null;
    const at = lines.x[i];
    if (at === undefined) return null;
    const v = lines.mean[i];
    return { at, value: v === null || v === undefined ? t("trend.nothing") : withUnit(fixed(v, places), props.tag.unit) };
  });
  useSignalEffect(() => {
    const x = text.value;
    const timer = setTimeout(() => {
      spoken.value = x ? `${moment(x.at)}: ${x.value}` : "";
    }, 250);
    return () => clearTimeout(timer);
  });
  return (
    <p class="cursor-text">
      {text.value && (
        <>
          <Num class="muted">{short(text.value.at, now())}</Num> <Num class="cursor-value">{text.value.value}</Num>
        </>
      )}
      <span class="hidden-text" aria-live="polite">
        {spoken}
      </span>
    </p>
  );
}
