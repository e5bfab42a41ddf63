// Live values move nothing: the layout shift over SECONDS (default 20) of live
// data is 0 on every page. What is above the fold at first paint counts too.

import { base, pages, run, sizes } from "./browser.mjs";

const seconds = Number(process.env.SECONDS ?? 20);

await run("steady", async (browser, check) => {
  for (const p of await pages()) {
    for (const size of ["desktop", "phone"]) {
      const context = await browser.newContext(sizes[size]);
      const page = await context.newPage();
      await page.goto(base + p.path);
      await page.waitForSelector('[data-link="live"]');
      await page.waitForTimeout(2500);
      const shifts = await page.evaluate(
        (ms) =>
          new Promise((done) => {
            const found = [];
            new PerformanceObserver((list) => {
              for (const e of list.getEntries()) {
                const what = e.sources.map((s) =>
                  s.node?.nodeType === 1 ? `${s.node.tagName}.${s.node.className}` : (s.node?.parentElement?.className ?? "?"),
                );
                found.push(`${e.value.toFixed(5)} ${[...new Set(what)].slice(0, 4).join(", ")}`);
              }
            }).observe({ type: "layout-shift" });
            setTimeout(() => done(found), ms);
          }),
        seconds * 1000,
      );
      check(`${p.name}, ${size}, ${seconds} s`, shifts);
      await context.close();
    }
  }
});
