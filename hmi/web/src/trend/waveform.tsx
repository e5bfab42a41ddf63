// A waveform card: the newest burst of a tag as a picture, and its amplitude
// spectrum. What the pictures show most is said in words too.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { usePoll } from "../data/poll.ts";
import type { Tag, Waveform } from "../data/types.ts";
import { brief, moment, unitText } from "../format.ts";
import { t } from "../i18n/text.ts";
import { Num, TagName } from "../parts/data.tsx";
import { columns, type Span, spectrum, strongest } from "./spectrum.ts";

/** how often the newest burst is asked for, ms */
const EVERY = 10_000;
const WIDE = 400;
const HIGH = 90;

export function WaveformCard(props: { tag: Tag }): JSX.Element {
  const { tag } = props;
  const got = usePoll<Waveform>(`waveforms/${tag.path.split("/").map(encodeURIComponent).join("/")}`, {}, EVERY);
  const wave = got.data.value;
  const id = `w-${tag.path}`;
  return (
    <section class="trend panel" aria-labelledby={id} data-waveform={tag.path}>
      <header class="trend-head">
        <div class="trend-name">
          <h3 id={id}>
            <TagName path={tag.path} asset={tag.asset} />
          </h3>
          <p class="muted clip">
            <bdi>{tag.description}</bdi>
          </p>
        </div>
        {wave && <Num class="muted">{moment(Date.parse(wave.t))}</Num>}
      </header>
      {wave && wave.values.length > 0 ? (
        <Pictures tag={tag} wave={wave} />
      ) : (
        <p class="muted">{got.error.value === null && wave === null ? t("wave.waiting") : t("wave.none")}</p>
      )}
    </section>
  );
}

function Pictures(props: { tag: Tag; wave: Waveform }): JSX.Element {
  const { tag, wave } = props;
  const rate = wave.rate ?? 0;
  const seen = useMemo(() => {
    const peaks = spectrum(wave.values);
    return { burst: columns(wave.values, WIDE), peaks, bars: columns(peaks.slice(1), WIDE), most: strongest(peaks) };
  }, [wave]);
  const bins = Math.max(1, (seen.peaks.length - 1) * 2);
  const unit = unitText(tag.unit);
  const length =
    rate > 0 ? t("span.ms", { v: brief((wave.values.length / rate) * 1000) }) : t("wave.values", { n: wave.values.length });
  const tone = seen.most < 0 ? null : { at: brief((seen.most * rate) / bins), size: brief(seen.peaks[seen.most] ?? null) };
  return (
    <>
      <p class="wave-text">
        {t("wave.burst")} <Num>{length}</Num>
      </p>
      <Picture spans={seen.burst} label={t("wave.burstOf", { tag: tag.path })} />
      <p class="wave-text">
        {t("wave.spectrum")} {rate > 0 && <Num>{`0–${brief(rate / 2)} Hz`}</Num>}{" "}
        {tone && rate > 0 && (
          <span class="muted">
            {t("wave.strongest")} <Num>{`${tone.at} Hz, ${tone.size} ${unit}`}</Num>
          </span>
        )}
      </p>
      <Picture spans={seen.bars} label={t("wave.spectrumOf", { tag: tag.path })} floor={0} />
    </>
  );
}

/** Picture draws a column for each span, between the least and the greatest of all. */
function Picture(props: { spans: readonly (Span | null)[]; label: string; floor?: number }): JSX.Element {
  let low = props.floor ?? Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const s of props.spans) {
    if (!s) continue;
    low = Math.min(low, s.low);
    high = Math.max(high, s.high);
  }
  const range = high > low ? high - low : 1;
  const y = (v: number) => HIGH - ((v - low) / range) * HIGH;
  const step = WIDE / Math.max(1, props.spans.length);
  let path = "";
  props.spans.forEach((s, i) => {
    if (!s) return;
    const from = y(props.floor ?? s.low);
    const to = Math.min(y(s.high), from - 1); // a flat piece is still seen
    path += `M${(i * step + step / 2).toFixed(1)} ${from.toFixed(1)}V${to.toFixed(1)}`;
  });
  return (
    <svg class="wave" viewBox={`0 -2 ${WIDE} ${HIGH + 4}`} preserveAspectRatio="none" role="img" aria-label={props.label}>
      <path d={path} stroke-width={Math.max(1, step)} />
    </svg>
  );
}
