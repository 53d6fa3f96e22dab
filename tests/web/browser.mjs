// Opens a page in Chromium, fills in its fields and prints what it shows:
// `node browser.mjs PLAYWRIGHT CHROMIUM SITE STEPS.json`.
//
// STEPS is `{scheme, width, height, file, rows, keys, shot}`: `file` opens it
// without a server; `rows` are texts, one for each field; `keys` names buttons
// that are reached and pressed by keyboard alone; `shot` is the picture's file.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { launch, serve } from "./serve.mjs";

const [playwright, chromium, site, file] = process.argv.slice(2);
const steps = JSON.parse(fs.readFileSync(file));
const { server, address } = await serve(site);
const browser = await launch(playwright, chromium);
const page = await browser.newPage({
  colorScheme: steps.scheme ?? "light",
  viewport: { width: steps.width ?? 1000, height: steps.height ?? 900 },
});
const shown = { faults: [], elsewhere: [], answers: [] };
page.on("pageerror", (error) => shown.faults.push(error.message));
page.on("console", (line) => {
  if (line.type() === "error") shown.faults.push(line.text());
});
page.on("request", (request) => {
  if (!request.url().startsWith(address)) shown.elsewhere.push(request.url());
});

const answered = () =>
  page.waitForFunction(
    () =>
      document.querySelector("#note.fault") ||
      document.querySelector("#result").ariaBusy === "false",
  );
const text = (selector) => page.locator(selector).allTextContents();

await page.goto(steps.file ? pathToFileURL(path.join(site, "index.html")).href
  : address);
await answered();
shown.first = await page.evaluate(
  () => performance.getEntriesByName("first answer")[0]?.startTime ?? null,
);
for (const row of steps.rows ?? []) {
  const fields = page.locator("#inputs input, #inputs textarea");
  for (let at = 0; at < row.length; at++) await fields.nth(at).fill(row[at]);
  await answered();
  shown.answers.push(
    await page.evaluate(() => ({
      bars: [...document.querySelectorAll("#result .bars li")].map((bar) => ({
        name: bar.querySelector(".name").textContent,
        value: bar.querySelector(".value").textContent,
        share: Number(bar.dataset.share),
        isOn: bar.className === "on",
      })),
      marks: [...document.querySelectorAll("#result mark")].map(
        (mark) => mark.firstChild.textContent,
      ),
      score: document.querySelector("#result .score")?.textContent ?? null,
      text: document.querySelector("#result").textContent,
    })),
  );
}
for (const name of steps.keys ?? []) {
  const isOn = () =>
    page.evaluate(
      (text) => document.activeElement.textContent.trim() === text, name,
    );
  for (let left = 20; left > 0 && !(await isOn()); left--) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await answered();
  await page.waitForTimeout(1500); // What is spoken comes late.
}
shown.value = await page.evaluate(
  () => document.querySelector("#inputs textarea, #inputs input")?.value,
);
shown.spoken = await page.evaluate(
  () => document.querySelector("#spoken").textContent,
);
shown.targets = await page.evaluate(() =>
  [...document.querySelectorAll("button, input, textarea")].map((each) => ({
    name: each.textContent, height: each.getBoundingClientRect().height,
  })),
);
shown.contrast = await page.evaluate(() => {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const light = (color) =>
    numbers(color)
      .slice(0, 3)
      .map((each) => each / 255)
      .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
      .reduce((sum, x, at) => sum + x * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("main *")]
    .filter((each) => each.innerText?.trim() && !each.children.length)
    .map((each) => {
      const pair = [getComputedStyle(each).color, behind(each)].map(light);
      const [dark, bright] = pair.sort((one, other) => one - other);
      return { text: each.innerText, ratio: (bright + 0.05) / (dark + 0.05) };
    });
});
shown.title = await page.title();
shown.facts = await text("#facts");
shown.note = await text("#note");
shown.labels = await text("label");
shown.width = await page.evaluate(() => document.body.scrollWidth);
if (steps.shot) await page.screenshot({ path: steps.shot, fullPage: true });
await browser.close();
server.close();
console.log(JSON.stringify(shown));
