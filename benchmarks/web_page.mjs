// Opens addresses of a folder in Chromium, each in a context of its own, and
// prints what they say: `node web_page.mjs PLAYWRIGHT CHROMIUM FOLDER PATH...`.

import { launch, serve } from "../tests/web/serve.mjs";

const [playwright, chromium, folder, ...paths] = process.argv.slice(2);
const { server, address } = await serve(folder);
const found = [];
for (const path of paths) {
  const browser = await launch(playwright, chromium);
  const page = await browser.newPage();
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const processor = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "ProcessTime").value;
  };
  const before = await processor();
  await page.goto(address + path);
  const handle = await page.waitForFunction(
    () => {
      const [mark] = performance.getEntriesByName("first answer");
      return window.measured ?? (mark && { first: mark.startTime });
    },
    null,
    { timeout: 120_000 },
  );
  const seconds = (await processor()) - before;
  found.push({ ...(await handle.jsonValue()), processor: seconds });
  await browser.close();
}
server.close();
console.log(JSON.stringify(found));
