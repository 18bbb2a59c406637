// Drives the page as people do, and says on the last line of stdout, as JSON, what came of it.
// Given on stdin: {address, key, reader_key, chromium, modules, pictures}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { askAbout } from "./asking.mjs";
import { useLists } from "./counting.mjs";
import { look } from "./looking.mjs";
import { moveModels } from "./models.mjs";
import { replayLetter, watchEvents } from "./operating.mjs";
import { layDownRule, someRules } from "./ruling.mjs";
import { someExperiment } from "./trying.mjs";
import { searchShop } from "./searching.mjs";
import { clickThree } from "./shopping.mjs";

const given = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${given.modules}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const WIDE = { viewport: { width: 1280, height: 860 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const found = { faults: [], axe: [], pictures: [], too_wide: [] };

async function opened(browser, options, key) {
  const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.on("pageerror", (error) => found.faults.push(`script: ${error.message}`));
  page.on("console", (said) => said.type() === "error" && !expected(said.text()) && found.faults.push(`console: ${said.text()}`));
  await page.goto(key === null ? given.address : `${given.address}#key=${key}`);
  return page;
}

// What the browser itself says of answers that a trial provokes.
const expected = (text) => /status of 40[134]|ERR_FAILED/.test(text);

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await opened(browser, WIDE, given.key);
  Object.assign(found, await clickThree(page));
  Object.assign(found, await searchShop(page));
  Object.assign(found, await askAbout(page, found.clicked[0].item_id));
  Object.assign(found, await watchEvents(page));
  Object.assign(found, await replayLetter(page));
  Object.assign(found, await moveModels(page));
  Object.assign(found, await layDownRule(page, found.clicked[2].item_id));
  await someRules(page, found.clicked[1].item_id);
  await someExperiment(page);
  await useLists(page, found.clicked[0].item_id);
  const visitor = await page.evaluate(() => sessionStorage.getItem("millstream.visitor"));
  const settings = { found, axe, pictures: given.pictures, visitor, item: found.clicked[0].item_id };
  for (const [size, options] of Object.entries({ wide: WIDE, phone: PHONE, dark: { ...WIDE, colorScheme: "dark" } })) {
    const whole = await opened(browser, options, given.key);
    await whole.evaluate((name) => sessionStorage.setItem("millstream.visitor", name), visitor);
    const reader = await opened(browser, options, given.reader_key);
    const nobody = await opened(browser, options, null);
    await look({ ...settings, size, whole, reader, nobody });
  }
} finally {
  await browser.close();
}
process.stdout.write(`${JSON.stringify(found)}\n`);
