// Every page draws, at every width, in both directions of writing, without an
// error, without a request to another machine and without a sideways scroll.

import { open, pages, run } from "./browser.mjs";

await run("render", async (browser, check) => {
  const list = await pages();
  check("there is an asset to show", list.some((p) => p.name === "asset") ? "" : "the server has none");
  for (const p of list) {
    for (const [width, lang] of [
      [1440, ""],
      [820, ""],
      [390, ""],
      [320, ""],
      [1440, "pseudo-rtl"],
      [390, "pseudo-rtl"],
    ]) {
      const page = await open(browser, p.path, { lang, context: { viewport: { width, height: 900 } } });
      const faults = page.faults;
      if (!(await page.locator("h1, h2").first().isVisible())) faults.push("no heading");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`${wide} px wider than the window`);
      if (lang && (await page.evaluate(() => document.documentElement.dir)) !== "rtl") faults.push("not right to left");
      check(`${p.name} at ${width} px ${lang}`, faults);
      await page.context().close();
    }
  }
});
