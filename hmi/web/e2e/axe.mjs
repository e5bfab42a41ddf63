// axe-core finds nothing, on every page, in both themes, at both widths; and
// on a phone everything that is pressed is large enough.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { open, pages, run } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

await run("axe", async (browser, check) => {
  for (const p of await pages()) {
    for (const size of ["desktop", "phone"]) {
      const page = await open(browser, p.path, { size, context: { bypassCSP: true } });
      await page.evaluate(axe);
      for (const dark of [false, true]) {
        await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
        await page.waitForTimeout(300); // charts are drawn in the new colours
        const found = await page.evaluate(async () => {
          const result = await globalThis.axe.run(document, { resultTypes: ["violations"] });
          return result.violations.flatMap((v) =>
            v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary?.split("\n")[1] ?? v.help}`),
          );
        });
        check(`${p.name}, ${size}, ${dark ? "dark" : "light"}`, found);
        if (size === "phone" && !dark) check(`${p.name}: targets`, await smallTargets(page));
      }
      await page.context().close();
    }
  }
});

/** smallTargets names buttons and fields below 44 px, and links in lists and bars below 24 px. */
function smallTargets(page) {
  return page.evaluate(() => {
    const out = [];
    for (const el of document.querySelectorAll("button, select, input, textarea, nav.nav a, .banner a, .segments label")) {
      const r = el.getBoundingClientRect();
      if (
        r.width === 0 ||
        r.height === 0 ||
        el.closest(".hidden-text") ||
        el.matches(".segments input, .search input, .switch input")
      )
        continue;
      if (getComputedStyle(el).opacity === "0") continue;
      const least = el.closest(".trend-foot") ? 36 : 43.5;
      if (r.height < least || r.width < Math.min(least, 40))
        out.push(`${el.tagName} .${el.className} ${Math.round(r.width)}×${Math.round(r.height)}`);
    }
    return out;
  });
}
