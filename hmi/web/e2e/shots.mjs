// A picture of every page at both widths in both themes, into OUT (default
// ./shots).

import { mkdirSync } from "node:fs";
import { open, pages, run } from "./browser.mjs";

const out = process.env.OUT ?? "shots";
mkdirSync(out, { recursive: true });

await run("shots", async (browser, check) => {
  for (const p of await pages()) {
    for (const size of ["desktop", "phone"]) {
      for (const dark of [false, true]) {
        const page = await open(browser, p.path, { size, dark, wait: 2500 });
        const file = `${out}/${p.name}-${size === "desktop" ? 1440 : 390}-${dark ? "dark" : "light"}.png`;
        await page.screenshot({ path: file });
        check(file, page.faults);
        await page.context().close();
      }
    }
  }
});
