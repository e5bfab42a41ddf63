// A server that falls silent (SIGSTOP: the connection stays, nothing comes) is
// noticed within 3 s: every value is marked stale. It recovers by itself.
// Needs SERVER_PID, the process that listens at BASE_URL.

import { open, pages, run } from "./browser.mjs";

const pid = Number(process.env.SERVER_PID ?? 0);

await run("stale", async (browser, check) => {
  if (pid === 0) return console.log("skip stale: SERVER_PID is not set");
  const asset = (await pages()).find((p) => p.name === "asset");
  const page = await open(browser, asset.path);
  const live = () => page.evaluate(() => document.querySelectorAll('[data-quality="good"]').length);
  const before = await live();
  check("values are live at first", before > 0 ? "" : "none is");
  process.kill(pid, "SIGSTOP");
  const stopped = Date.now();
  let took = Number.NaN;
  try {
    await page.waitForFunction(
      () => !document.querySelector('[data-quality="good"]') && document.querySelector('[data-link="lost"]'),
      null,
      { timeout: 6000, polling: 50 },
    );
    took = Date.now() - stopped;
    check(`no value looks live after ${took} ms`, took <= 3000 ? "" : "more than 3 s");
    const words = await page.evaluate(
      () => [...document.querySelectorAll(".quality")].filter((q) => !q.classList.contains("q-stale")).length,
    );
    check("every value says so in words", words === 0 ? "" : `${words} do not`);
    if (process.env.OUT) await page.screenshot({ path: `${process.env.OUT}/stale.png` });
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const again = Date.now();
  await page.waitForFunction((n) => document.querySelectorAll('[data-quality="good"]').length >= n, before, {
    timeout: 20_000,
    polling: 50,
  });
  check(`live again after ${Date.now() - again} ms`, Date.now() - again <= 8000 ? "" : "more than 8 s");
});
