// What is around every page: name, navigation, state of the link, clock.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Announcer } from "../alarm/announce.tsx";
import { Banner } from "../alarm/banner.tsx";
import { LinkMark } from "../alarm/link.tsx";
import { counts } from "../data/alarms.ts";
import { tick } from "../data/clock.ts";
import { link, linkSince } from "../data/live.ts";
import { me } from "../data/me.ts";
import { clock, span } from "../format.ts";
import { t } from "../i18n/text.ts";
import { type Route, route } from "../route.ts";
import { nextTheme, theme } from "../theme.ts";
import { Data, Num } from "./data.tsx";
import { Icon, type IconName } from "./icons.tsx";

function NavLink(props: { href: string; icon: IconName; label: string; pages: Route["page"][]; badge?: number }): JSX.Element {
  const here = props.pages.includes(route.value.page);
  return (
    <li>
      <a href={props.href} aria-current={here ? "page" : undefined}>
        <Icon name={props.icon} />
        <span>{props.label}</span>
        {props.badge ? <Num class="badge">{props.badge}</Num> : null}
      </a>
    </li>
  );
}

function LinkState(): JSX.Element {
  const s = link.value;
  void tick.value;
  return (
    <p class={`link-state ${s}`} role="status" data-link={s}>
      <LinkMark state={s === "live" ? "live" : s === "lost" ? "down" : "connecting"} />
      <span>{t(`link.${s}`)}</span>
    </p>
  );
}

/** LostStrip says across the page that nothing on it is live. */
function LostStrip(): JSX.Element | null {
  if (link.value !== "lost") return null;
  void tick.value;
  return (
    <div class="lost-strip" role="alert">
      <strong>{t("lost.title")}</strong> <span>{t("lost.text")}</span>{" "}
      <Num class="muted" aria-live="off">
        {span(Date.now() - linkSince.value)}
      </Num>
    </div>
  );
}

export function Shell(props: { children: ComponentChildren }): JSX.Element {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const key = JSON.stringify(route.value);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [key]);
  const themeLabel = t(`theme.${theme.value}`);
  return (
    <>
      <a class="skip" href="#main">
        {t("shell.skip")}
      </a>
      <header class="top">
        <div class="bar">
          <a class="brand" href="/" aria-label={t("shell.home")}>
            <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
              <path d="M6 24V9l6.5 8.5L16 13l3.5 4.5L26 9v15" />
            </svg>
            <span class="brand-name" translate={false}>
              <Data>{t("shell.name")}</Data>
            </span>
          </a>
          <nav aria-label={t("shell.nav")} class="nav">
            <ul>
              <NavLink href="/" icon="plant" label={t("nav.plant")} pages={["plant", "asset"]} />
              <NavLink href="/alarms" icon="alarms" label={t("nav.alarms")} pages={["alarms"]} badge={counts.value.unacked} />
              <NavLink href="/oncall" icon="oncall" label={t("nav.oncall")} pages={["oncall", "roster"]} />
              <NavLink href="/models" icon="models" label={t("nav.models")} pages={["models"]} />
              <NavLink href="/edges" icon="edges" label={t("nav.edges")} pages={["edges"]} />
            </ul>
          </nav>
          <div class="bar-end">
            <LinkState />
            <Num class="clock">{clock(tick.value)}</Num>
            <button type="button" class="plain" onClick={nextTheme} aria-label={themeLabel} title={themeLabel}>
              <Icon name={theme.value} />
            </button>
            {me.value?.login && (
              <form method="post" action="/logout" class="who">
                <Data class="who-name">{me.value.name}</Data>
                <button type="submit" class="plain" aria-label={t("shell.logout")} title={t("shell.logout")}>
                  <Icon name="leave" mirrored />
                </button>
              </form>
            )}
          </div>
        </div>
        <Banner />
        <LostStrip />
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {props.children}
      </main>
      <Announcer />
    </>
  );
}
