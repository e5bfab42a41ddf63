// While nothing is wrong the plant page has no coloured pixel (OKLCH chroma
// above 0.06); the priorities of alarms differ in greyscale by shape. Skips
// where an alarm is open.

import { base, open, run } from "./browser.mjs";

await run("grey", async (browser, check) => {
  for (const state of ["unacked", "acked", "rtn_unacked"]) {
    const { alarms } = await (await fetch(`${base}/api/v1/alarms?state=${state}&limit=1`)).json();
    if (alarms.length > 0) return console.log("skip grey: an alarm is open");
  }
  for (const dark of [false, true]) {
    for (const path of ["/", "/alarms", "/edges"]) {
      const page = await open(browser, path, { dark });
      const shot = (await page.screenshot()).toString("base64");
      const paper = await browser.newPage();
      const coloured = await paper.evaluate(async (png) => {
        const image = new Image();
        image.src = `data:image/png;base64,${png}`;
        await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height);
        const ctx = canvas.getContext("2d");
        ctx.drawImage(image, 0, 0);
        const { data } = ctx.getImageData(0, 0, image.width, image.height);
        const linear = (c) => (c <= 10.31475 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
        let n = 0;
        for (let i = 0; i < data.length; i += 4) {
          const [r, g, b] = [linear(data[i]), linear(data[i + 1]), linear(data[i + 2])];
          const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
          const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
          const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
          const A = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
          const B = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
          if (Math.hypot(A, B) > 0.06) n++;
        }
        return n;
      }, shot);
      check(`${path}, ${dark ? "dark" : "light"}`, coloured === 0 ? "" : `${coloured} coloured pixels`);
      await paper.close();
      await page.context().close();
    }
  }
});
