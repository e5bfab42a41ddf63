// A browser that a Go test drives: one JSON command a line on standard input,
// one JSON answer a line on standard output.
//   node browser.mjs MODULES    MODULES: a node_modules folder with playwright-core and axe-core
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";

const modules = process.argv[2];
const require = createRequire(join(modules, "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const pages = new Map();
const outside = [];
const errors = [];

// A hand presses what is there, can be pressed and stands still: still is what does not
// move from one frame to the next. On a machine with more to do than it can, Chromium
// may draw none of a page for a minute until it is asked to show it.
async function hand(p, act) {
  let last;
  for (let i = 0; i < 5; i++) {
    try {
      await act(20_000);
      return null;
    } catch (e) {
      last = e;
      await p.bringToFront();
      await p.screenshot({ clip: { x: 0, y: 0, width: 8, height: 8 } });
    }
  }
  const frame = p.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => drawn("the page draws frames"))));
  const late = new Promise((given) => setTimeout(given, 5000, "the page draws no frame within 5 s"));
  throw new Error(`${last.message}\n${await Promise.race([frame, late])}`);
}

// A press counts when the page has felt it: then a hand does not press again, however
// long the browser takes to say so.
async function press(p, selector) {
  const felt = () => p.evaluate(() => globalThis.felt);
  await p.evaluate(() => {
    if (globalThis.felt === undefined) addEventListener("click", () => globalThis.felt++, true);
    globalThis.felt = 0;
  });
  await hand(p, async (timeout) => {
    if ((await felt()) !== 0) return; // the press before, or another page by now
    await p.locator(selector).first().click({ timeout });
    if ((await felt()) === 0) throw new Error("the page has not felt the press");
  });
  return null;
}

const commands = {
  async open({ page, url, width = 1440, height = 900, dark = false }) {
    const context = await browser.newContext({
      viewport: { width, height }, colorScheme: dark ? "dark" : "light", bypassCSP: true,
    });
    const p = await context.newPage();
    p.on("request", (r) => {
      const u = new URL(r.url());
      if (!["127.0.0.1", "localhost"].includes(u.hostname) && !["data:", "blob:"].includes(u.protocol)) outside.push(r.url());
    });
    p.on("pageerror", (e) => errors.push(String(e)));
    pages.set(page, p);
    await p.goto(url, { waitUntil: "load" });
  },
  close: ({ page }) => pages.get(page).context().close().then(() => null),
  goto: ({ page, url }) => pages.get(page).goto(url, { waitUntil: "load" }).then(() => null),
  eval: ({ page, js }) => pages.get(page).evaluate(js),
  wait: ({ page, js, ms = 60_000 }) => pages.get(page).waitForFunction(js, null, { timeout: ms, polling: 50 }).then((h) => h.jsonValue()),
  click: ({ page, selector }) => press(pages.get(page), selector),
  fill: ({ page, selector, text }) => hand(pages.get(page), (timeout) => pages.get(page).locator(selector).first().fill(text, { timeout })),
  choose: ({ page, selector, text }) => hand(pages.get(page), (timeout) => pages.get(page).locator(selector).first().selectOption(text, { timeout })),
  async slow({ page, rate }) {
    const session = await pages.get(page).context().newCDPSession(pages.get(page));
    await session.send("Emulation.setCPUThrottlingRate", { rate });
  },
  async shot({ page, file, width }) {
    const p = pages.get(page);
    const usual = p.viewportSize();
    await p.setViewportSize({ width, height: usual.height });
    await p.waitForTimeout(500); // charts are drawn anew
    await p.screenshot({ path: file, fullPage: true });
    await p.setViewportSize(usual);
  },
  async axe({ page }) {
    const p = pages.get(page);
    await p.evaluate(axe);
    const result = await p.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
  },
  outside: () => outside,
  errors: () => errors,
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { op, ...args } = JSON.parse(line);
    answer = { value: (await commands[op](args)) ?? null };
  } catch (e) {
    answer = { error: String(e.message ?? e) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
