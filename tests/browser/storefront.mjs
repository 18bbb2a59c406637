// A storefront's page in a Chromium tells a gateway of another origin; says on stdout, as JSON, what the
// page saw. Given on stdin: {gateway, key, wrong_key, chromium, modules}.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const given = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(`${given.modules}/`)("playwright-core");
const seen = { troubles: [], faults: [], ways: [] };

// As docs/connect.md tells shops to: the gateway's origin in script-src and connect-src.
const POLICY = `default-src 'none'; script-src 'self' ${given.gateway}; connect-src ${given.gateway}`;
const PAGE = '<!doctype html><title>A shop</title><link rel="icon" href="data:,"><script type="module" src="/shop.js"></script>';
const SCRIPT = `
import { connect } from "${given.gateway}/static/millstream.js";
globalThis.troubles = [];
globalThis.open = (key, everyMs) => connect({ url: "${given.gateway}", key, anonymousId: "cookie-1", everyMs, onTrouble: (told) => troubles.push(told) });
globalThis.ready = true;`;

const shop = createServer((asked, answer) => {
  const isScript = asked.url === "/shop.js";
  answer.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html", "content-security-policy": POLICY });
  answer.end(isScript ? SCRIPT : PAGE);
});
await new Promise((listening) => shop.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${shop.address().port}`;

async function opened(context, path) {
  const page = await context.newPage();
  page.on("pageerror", (error) => seen.faults.push(error.message));
  page.on("request", (asked) => asked.url().includes("/v1/events") && seen.ways.push(`${path} ${asked.resourceType()}`));
  await page.goto(`${address}${path}`);
  await page.waitForFunction(() => globalThis.ready);
  return page;
}

// What is tracked here no fetch takes along: the next one would be a minute later.
const trackAtLast = (page, type, item) => page.evaluate(([key, what, id]) => {
  globalThis.shop = open(key, 60_000);
  shop.track(what, { items: [id] });
}, [given.key, type, item]);

async function staysOpen(context) {
  const page = await opened(context, "/open");
  await page.evaluate((key) => { globalThis.shop = open(key, 10); shop.track("view_item", { items: ["open"] }); }, given.key);
  await page.waitForFunction(() => shop.waiting() === 0);
  await page.evaluate((key) => { globalThis.stranger = open(key, 10); stranger.track("view_item", { items: ["open"] }); }, given.wrong_key);
  await page.waitForFunction(() => troubles.length > 0);
  seen.troubles = await page.evaluate(() => troubles);
}

async function isLeft(context) {
  const page = await opened(context, "/left");
  await trackAtLast(page, "add_to_cart", "left");
  await page.goto(`${address}/elsewhere`);
}

async function isClosed(context) {
  const page = await opened(context, "/closed");
  await trackAtLast(page, "view_item", "closed");
  await page.close({ runBeforeUnload: true });
}

// The beacon's events are sent again, to be heard of; what is tracked after them stands after them in the log.
async function comesBack(context) {
  const page = await opened(context, "/back");
  await trackAtLast(page, "view_item", "back");
  await page.goto(`${address}/elsewhere`);
  // goBack() waits for a load, and there is none: the page is the one that was left.
  await page.evaluate(() => history.back()).catch(() => {});
  await until(() => page.evaluate(() => location.pathname === "/back" && "shop" in globalThis));
  seen.waiting_when_back = await page.evaluate(() => shop.waiting());
  await page.evaluate(() => shop.flush());
  await page.evaluate(() => { shop.track("view_item", { items: ["after"] }); return shop.flush(); });
  seen.waiting_at_last = await page.evaluate(() => shop.waiting());
}

// While a page gives way to another it can't be asked.
async function until(holds) {
  const deadline = Date.now() + 30_000;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error("the page that was left does not come back");
    await new Promise((done) => setTimeout(done, 50));
  }
}

// In every page, before its scripts: which beacons the browser took.
function watchBeacons() {
  const send = navigator.sendBeacon.bind(navigator);
  navigator.sendBeacon = (to, body) => {
    const taken = send(to, body);
    localStorage.setItem(`beacon ${location.pathname}`, taken);
    return taken;
  };
}

const beaconsTaken = (page) => page.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith("beacon") && localStorage.getItem(name) === "true").sort());

const browser = await chromium.launch({
  executablePath: given.chromium,
  args: ["--no-sandbox", "--disable-gpu"],
  ignoreDefaultArgs: ["--disable-back-forward-cache"],
});
try {
  const context = await browser.newContext();
  await context.addInitScript(watchBeacons);
  for (const visit of [staysOpen, isLeft, isClosed, comesBack]) await visit(context);
  seen.beacons = await beaconsTaken(await opened(context, "/last"));
  seen.cookies = (await context.cookies()).length;
} finally {
  await browser.close();
  shop.close();
}
process.stdout.write(`${JSON.stringify(seen)}\n`);
