// What the browser scripts share: Debian's Chromium against a running server.
//   BASE_URL=http://127.0.0.1:8080 node e2e/all.mjs
// A script prints one line a check and ends with 1 where one fails.

import { chromium } from "playwright-core";

export const base = (process.env.BASE_URL ?? "http://127.0.0.1:8080").replace(/\/$/, "");

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const sizes = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

/** pages of the works that runs: one of each kind. */
export async function pages() {
  const get = async (route) => (await fetch(`${base}/api/v1/${route}`)).json();
  const { assets } = await get("assets?limit=1");
  const { alarms } = await get("alarms?limit=1");
  const list = [
    { name: "plant", path: "/" },
    { name: "alarms", path: "/alarms?show=all" },
    { name: "edges", path: "/edges" },
    { name: "oncall", path: "/oncall" },
    { name: "roster", path: "/oncall/roster" },
    { name: "models", path: "/models" },
    { name: "missing", path: "/nowhere" },
  ];
  if (assets[0]) list.push({ name: "asset", path: `/a/${assets[0].path.split("/").map(encodeURIComponent).join("/")}` });
  if (alarms[0]) list.push({ name: "alarm", path: `/alarms/${alarms[0].id}` });
  return list;
}

/** run starts the browser, gives it to the checks and sets the exit status. */
export async function run(name, checks) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
  let failed = 0;
  const check = (what, faults) => {
    const list = Array.isArray(faults) ? faults : faults ? [String(faults)] : [];
    console.log(`${list.length === 0 ? "ok  " : "FAIL"} ${name}: ${what}`);
    for (const f of list.slice(0, 20)) console.log(`     ${f}`);
    if (list.length > 0) failed++;
  };
  try {
    await checks(browser, check);
  } catch (e) {
    check("runs to its end", e.stack ?? e);
  } finally {
    await browser.close();
  }
  if (failed > 0) process.exitCode = 1;
}

/** open gives a page that has drawn and is live; faults gathers what went wrong on it. */
export async function open(browser, path, options = {}) {
  const { size = "desktop", dark = false, lang = "" } = options;
  const context = await browser.newContext({ ...sizes[size], ...options.context, colorScheme: dark ? "dark" : "light" });
  const page = await context.newPage();
  page.faults = [];
  page.on("request", (r) => {
    const u = new URL(r.url());
    if (u.protocol !== "data:" && !["127.0.0.1", "localhost", "[::1]"].includes(u.hostname))
      page.faults.push(`asks another machine: ${r.url()}`);
  });
  page.on("pageerror", (e) => page.faults.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error") page.faults.push(`console: ${m.text()}`);
  });
  let pending = 0;
  let since = Date.now();
  const count = (by) => (r) => {
    if (r.resourceType() === "eventsource" || r.resourceType() === "websocket") return;
    pending += by;
    since = Date.now();
  };
  page.on("request", count(1));
  page.on("requestfinished", count(-1));
  page.on("requestfailed", count(-1));
  const query = lang ? `${path.includes("?") ? "&" : "?"}lang=${lang}` : "";
  await page.goto(base + path + query);
  await page.waitForSelector('[data-link="live"]', { timeout: 60_000 });
  // Drawn is what has asked for nothing more for a while.
  for (const most = Date.now() + 15_000; Date.now() < most && (pending > 0 || Date.now() - since < 500); ) {
    await page.waitForTimeout(50);
  }
  await page.waitForTimeout(options.wait ?? 200);
  return page;
}
