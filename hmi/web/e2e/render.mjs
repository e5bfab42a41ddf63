// Every page draws, at every width, in both directions of writing, without an
// error, without a request to another machine and without a sideways scroll.

import { open, pages, run } from "./browser.mjs";

await run("render", async (browser, check) => {
  const list = await pages();
  check("there is an asset to show", list.some((p) => p.name === "asset") ? "" : "the server has none");
  for (const p of list) {
    // Drawn at the narrowest width and widened, as a phone is turned: a page that
    // is opened wide is looked at by the other scripts.
    for (const [lang, widths] of [
      ["", [320, 390, 820, 1440]],
      ["pseudo-rtl", [390, 1440]],
    ]) {
      const page = await open(browser, p.path, { lang, context: { viewport: { width: widths[0], height: 900 } } });
      for (const width of widths) {
        if (width !== widths[0]) {
          await page.setViewportSize({ width, height: 900 });
          await page.waitForTimeout(300); // charts follow
        }
        const faults = page.faults.splice(0);
        if (!(await page.locator("h1, h2").first().isVisible())) faults.push("no heading");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) faults.push(`${wide} px wider than the window`);
        if (lang && (await page.evaluate(() => document.documentElement.dir)) !== "rtl") faults.push("not right to left");
        check(`${p.name} at ${width} px ${lang}`, faults);
      }
      await page.context().close();
    }
  }
});
