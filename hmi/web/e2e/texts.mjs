// In a made-up language every text of the pages stands in ⟦ ⟧: what does not
// was not taken from the catalogue. Data stands in <bdi>.

import { open, pages, run } from "./browser.mjs";

await run("texts", async (browser, check) => {
  for (const p of await pages()) {
    const page = await open(browser, p.path, { lang: "pseudo" });
    const found = await page.evaluate(() => {
      const out = [];
      const letters = /\p{L}{2,}/u;
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let n = walk.nextNode(); n; n = walk.nextNode()) {
        const el = n.parentElement;
        if (!el || el.closest("bdi, script, style, noscript, .modes-strip, option[data-name]")) continue;
        const text = n.textContent ?? "";
        const whole = el.textContent ?? "";
        if (letters.test(text) && !/[⟦⟧]/.test(whole)) out.push(`text: ${text.trim()}`);
      }
      for (const el of document.querySelectorAll("[aria-label], [title], [placeholder], [aria-roledescription]")) {
        if (el.tagName === "BDI" || el.closest(".modes-strip") || el.matches(".quality, [data-example]")) continue;
        for (const a of ["aria-label", "title", "placeholder", "aria-roledescription"]) {
          const v = el.getAttribute(a);
          if (v && letters.test(v) && !v.includes("⟦")) out.push(`${a}: ${v}`);
        }
      }
      return [...new Set(out)];
    });
    check(p.name, [...page.faults, ...found]);
    await page.context().close();
  }
});
