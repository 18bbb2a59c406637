// Every panel as it looks: a picture, what axe finds, and whether it is wider than the screen.
import { join } from "node:path";
import { ask } from "./asking.mjs";
import { decided, forecasted, gone, standIn, trains } from "./standing_in.mjs";
import { cutOff, waitInVain } from "./waiting.mjs";

// Panels that a key without the scope `admin` may not use, by their titles.
const CLOSED = { models: "Models", rules: "Rules", experiments: "Experiments", live: "Live events", letters: "Dead letters", kpis: "KPIs" };
const SERIOUS = new Set(["serious", "critical"]);

async function judge({ found, axe, size }, page, name) {
  await page.evaluate(axe);
  const told = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of told.violations) {
    found.axe.push({ panel: name, size, id, impact, serious: SERIOUS.has(impact), at: nodes.slice(0, 3).map(({ target }) => target.join(" ")) });
  }
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wider > 1) found.too_wide.push(`${name} ${size}: ${wider} px`);
}

// From the top, or with `seen` in sight.
async function take(settings, page, name, seen = "body") {
  await page.evaluate((selector) => {
    scrollTo(0, 0);
    document.querySelector(selector).scrollIntoView();
  }, seen);
  await judge(settings, page, name);
  const path = join(settings.pictures, `${name}-${settings.size}.png`);
  await page.screenshot({ path });
  settings.found.pictures.push(path);
}

async function at(page, place, ready) {
  await page.evaluate((hash) => { location.hash = hash; }, place);
  await page.waitForSelector(ready, { timeout: 30_000 });
}

// In the page: some seconds in which more happens than one visitor's clicks.
async function someTraffic(item) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem("millstream.key")}`, "content-type": "application/json" };
  const one = () => ({ event_id: crypto.randomUUID(), type: "view_item", time: new Date().toISOString(), anonymous_id: crypto.randomUUID().slice(0, 8), items: [{ item_id: item }] });
  for (const many of [3, 8, 5, 12, 7, 4, 9, 6]) {
    await fetch("/v1/events", { method: "POST", headers, body: JSON.stringify({ events: Array.from({ length: many }, one) }) });
    await new Promise((done) => setTimeout(done, 1000));
  }
}

async function experiments(settings, page) {
  await at(page, "#/experiments", "[data-split=fits]");
  await take(settings, page, "experiments");
  let end = await standIn(page, "**/v1/experiments/*", decided);
  await at(page, "#/experiments?again=decided", "main .state.done >> text=may be stopped");
  await take(settings, page, "experiments-decided");
  await end();
  end = await standIn(page, "**/v1/experiments", () => ({ experiments: [] }));
  await at(page, "#/experiments", "main .empty");
  await take(settings, page, "experiments-empty");
  await page.click("main >> text=Begin an experiment");
  await take(settings, page, "experiment-form");
  await end();
}

async function trainings(settings, page) {
  for (const [name, answer, seen] of [
    ["models-training", trains, "[data-step=learning] >> text=network 2 of 3"],
    ["models-trainer-gone", gone, ".training .stale >> text=13 minutes ago"],
    ["models-no-trainer", () => ({ trainings: [] }), "main .empty >> text=No trainer"],
  ]) {
    const end = await standIn(page, "**/v1/trainings", answer);
    await page.waitForSelector(seen, { timeout: 10_000 });
    await take(settings, page, name);
    await end();
  }
}

async function demand(settings, page, item) {
  await at(page, "#/item", "#best");
  const end = await standIn(page, "**/v1/items/*", forecasted);
  await at(page, `#/item?item=${encodeURIComponent(item)}`, "section[aria-labelledby=demand] div:has(dt:text-is('lasts')) >> text='21 days'");
  await take(settings, page, "item-demand", "#demand");
  await end();
}

async function unanswered(settings, page) {
  const end = await standIn(page, "**/v1/models", null);
  await at(page, "#/models", "main .loading >> text=the models");
  await take(settings, page, "loading");
  await end();
}

async function brokenOff(settings, page) {
  await page.route("**/v1/items*", (route) => route.abort());
  await at(page, "#/item", "main .failed");
  await take(settings, page, "error");
  await page.unroute("**/v1/items*");
}

export async function look(settings) {
  const { whole, reader, nobody, visitor, item } = settings;
  await whole.reload();
  await whole.waitForSelector(".ranked li .title");
  await whole.waitForSelector(".cards .card");
  await whole.locator(".cards .card button.look").nth(3).click();
  await whole.waitForSelector(".for[data-took-ms]");
  await take(settings, whole, "shop");
  await whole.locator("input[type=search]").fill("red lantrn");
  await whole.waitForSelector(".filters");
  await whole.waitForFunction(() => /lantern/i.test(document.querySelector(".shelves .card .title")?.textContent ?? ""));
  await take(settings, whole, "search", settings.size === "phone" ? ".shelves" : "body");
  await whole.locator("input[type=search]").fill("zzzzqqq");
  await whole.waitForSelector(".shelves .empty");
  await take(settings, whole, "search-empty", settings.size === "phone" ? ".shelves" : "body");
  await at(whole, `#/shopper?user=~${visitor}`, ".score");
  await take(settings, whole, "shopper");
  await at(whole, `#/item?item=${encodeURIComponent(item)}`, ".halves .facts");
  await take(settings, whole, "item");
  await ask(whole, "Is there something like it that is cheaper?");
  await take(settings, whole, "item-asked", ".asking");
  await ask(whole, "Who made it?");
  await take(settings, whole, "item-not-known", ".asking");
  await whole.locator("#find").fill("lantern");
  await whole.waitForSelector(".hits a");
  await take(settings, whole, "item-found");
  await demand(settings, whole, item);
  await at(whole, "#/live", ".tile-of .n");
  if (settings.size === "wide") await whole.evaluate(someTraffic, item);
  await take(settings, whole, "live");
  await at(whole, "#/letters", ".letter");
  await take(settings, whole, "letters");
  await at(whole, "#/models", ".version.current");
  await whole.waitForSelector(".training[data-step=waiting] progress");
  await take(settings, whole, "models");
  await trainings(settings, whole);
  await at(whole, "#/rules", "tbody tr");
  await take(settings, whole, "rules");
  await whole.click("main >> text=Lay down a rule");
  await take(settings, whole, "rule-form");
  await experiments(settings, whole);
  await at(whole, "#/kpis", "[data-kpi=Clicked] .n");
  await whole.waitForFunction(() => document.querySelector("[data-kpi=Click-through] .n")?.textContent.includes("%"), null, { timeout: 30_000 });
  await take(settings, whole, "kpis");
  await unanswered(settings, whole);
  await brokenOff(settings, whole);
  await at(whole, "#/shop", ".for .ranked li .title");
  await cutOff(whole, () => take(settings, whole, "shop-cut-off"));
  await waitInVain(whole, () => take(settings, whole, "shop-late"));
  await reader.waitForSelector(".state.closed");
  await reader.waitForSelector(".ranked li .title");
  await take(settings, reader, "read-only-shop");
  for (const [panel, title] of Object.entries(CLOSED)) {
    await at(reader, `#/${panel}`, `h1 >> text=${title}`);
    await reader.waitForSelector(".state.closed");
    await take(settings, reader, `read-only-${panel}`);
  }
  await nobody.waitForSelector("#key");
  await take(settings, nobody, "sign-in");
  await Promise.all([whole, reader, nobody].map((page) => page.context().close()));
}
