// Everything by keyboard: skip link, pages, windows, the cursor of a chart and
// its table.

import { open, pages, run } from "./browser.mjs";

await run("keyboard", async (browser, check) => {
  const asset = (await pages()).find((p) => p.name === "asset");
  if (!asset) return check("there is an asset to show", "the server has none");
  const page = await open(browser, asset.path, { wait: 3000 });

  await page.keyboard.press("Tab");
  check(
    "the first stop is the skip link",
    await page.evaluate(() => (document.activeElement?.matches(".skip") ? "" : document.activeElement?.outerHTML)),
  );
  await page.keyboard.press("Enter");
  check(
    "it leads to the page",
    await page.evaluate(() => (document.activeElement?.id === "main" ? "" : document.activeElement?.outerHTML)),
  );

  const card = page.locator(".trend").nth(1);
  // What is said lags the keys on purpose, and more so on a busy machine.
  const said = async (ok) => {
    let text = "";
    for (let i = 0; i < 50; i++) {
      text = (await card.locator("[aria-live]").textContent()) ?? "";
      if (ok(text)) break;
      await page.waitForTimeout(100);
    }
    return text;
  };
  const chart = page.locator(".trend-canvas").nth(1);
  await page.waitForFunction(() => document.querySelectorAll(".trend-canvas canvas").length > 1, null, { timeout: 60_000 });
  await chart.focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  const timed = /\d\d:\d\d:\d\d/;
  const first = await said((text) => timed.test(text));
  check("arrow keys say time and value", timed.test(first) ? "" : `said: ${first}`);
  await page.keyboard.press("Home");
  const home = await said((text) => text !== "" && text !== first);
  check("Home goes to the oldest value", home && home !== first ? "" : `said: ${home}`);
  await page.keyboard.press("Escape");
  check("Escape takes the cursor away", (await said((text) => text === "")) === "" ? "" : "it stays");

  await card.locator(".trend-foot button").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForTimeout(300);
  check("the table holds the trend in numbers", (await card.locator(".trend-table tbody tr").count()) > 0 ? "" : "no rows");

  await page.locator(".segments input:checked").focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(300);
  check("arrow keys choose the window", page.url().includes("span=1h") ? "" : page.url());
  check("nothing went wrong meanwhile", page.faults);
});
