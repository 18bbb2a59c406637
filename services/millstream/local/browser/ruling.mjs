// An item is pinned by a rule laid down in the page, stands first in the list within seconds, and
// goes again when the change is taken back.
const ENOUGH = 10_000;
const FIRST = "section.for .ranked li .title";

async function inTheList(page, holds, given) {
  await page.locator("nav a", { hasText: /^Shop$/ }).click();
  await page.waitForSelector(FIRST);
  return page.waitForFunction(holds, given, { timeout: ENOUGH }).then(() => true, () => false);
}

// In the page.
const isFirst = ([at, reason]) => document.querySelector("section.for .ranked li .why")?.textContent.includes(reason) === at;

export async function layDownRule(page, item) {
  await page.click("nav >> text=Rules");
  await page.click("main >> text=Lay down a rule");
  await page.waitForSelector("#name");
  await page.fill("#name", "trial-pin");
  await page.fill("#subject", item);
  await page.fill("#note", "laid down by the trial");
  const laid = Date.now();
  await page.press("#note", "Enter");
  await page.waitForSelector(".state.done", { timeout: ENOUGH });
  const seen = await inTheList(page, isFirst, [true, "pinned by rule trial-pin"]);
  const took = seen ? Date.now() - laid : null;
  await page.click("nav >> text=Rules");
  await page.waitForSelector("tbody tr");
  await page.locator("tbody tr", { hasText: "trial-pin" }).first().locator("button").click();
  await page.waitForSelector(".state.done", { timeout: ENOUGH });
  const gone = await inTheList(page, isFirst, [false, "pinned by rule trial-pin"]);
  return { rule_in_force_ms: took, rule_undone: gone };
}

// What the panel is looked at with: one of each kind, and one that waits.
export async function someRules(page, item) {
  await page.evaluate(async (item_id) => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("millstream.key")}`, "content-type": "application/json" };
    const put = (name, terms) => fetch(`/v1/rules/${name}`, { method: "PUT", headers, body: JSON.stringify(terms) });
    await put("hero", { kind: "pin", item_id, place: 2, note: "on the front page this week" });
    await put("recalled", { kind: "hide", item_id: "POST" });
    await put("slow-sellers", { kind: "boost", item_id: "22752", factor: 0.5 });
    await put("january-sale", { kind: "boost", item_id: "22086", factor: 1.5, starts_at: "2031-01-02T00:00:00Z", ends_at: "2031-01-31T00:00:00Z", scenario: "discover" });
  }, item);
}
