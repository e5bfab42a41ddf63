import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app.tsx";
import { startAlarms } from "./data/alarms.ts";
import { startClock } from "./data/clock.ts";
import { startLive } from "./data/live.ts";
import { startMe } from "./data/me.ts";
import { language } from "./i18n/text.ts";
import { startTitle } from "./parts/title.ts";
import { startRouter } from "./route.ts";
import { startTheme } from "./theme.ts";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./alarm/mark.css";
import "./alarm/unsafe.css";
import "./alarm/banner.css";
import "./alarm/why.css";
import "./alarm/list.css";
import "./styles/plant.css";
import "./styles/asset.css";
import "./styles/alarms.css";
import "./styles/edges.css";
import "./styles/form.css";
import "./styles/oncall.css";
import "./styles/models.css";
import "./styles/trend.css";
import "./styles/narrow.css";

/** Text that is drawn before its font is there would jump when it comes. */
const FONT_WAIT = 800;

async function start(): Promise<void> {
  await pseudo();
  effect(() => {
    document.documentElement.lang = language.value.tag;
    document.documentElement.dir = language.value.dir;
  });
  startTheme();
  startClock();
  startRouter();
  startTitle();
  startLive();
  startMe();
  startAlarms();
  const faces = [400, 500, 600].map((w) => document.fonts.load(`${w} 1em "IBM Plex Sans"`));
  await Promise.race([Promise.all(faces).catch(() => {}), new Promise((done) => setTimeout(done, FONT_WAIT))]);
  const root = document.getElementById("app");
  if (root) render(<App />, root);
}

/** pseudo loads a made-up language for tests: ?lang=pseudo or ?lang=pseudo-rtl. */
async function pseudo(): Promise<void> {
  const name = new URLSearchParams(location.search).get("lang");
  if (name !== "pseudo" && name !== "pseudo-rtl") return;
  const made = await import("./i18n/pseudo.ts");
  language.value = name === "pseudo" ? made.pseudoLtr : made.pseudoRtl;
}

start();
