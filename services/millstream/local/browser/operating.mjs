// The events that the trial sent are seen with their fates, and a dead letter is sent again.
export async function watchEvents(page) {
  await page.click("nav >> text=Live events");
  await page.waitForSelector(".tile-of .n");
  const counter = async (fate) => Number((await page.locator(`[data-fate=${fate}] .n`).textContent()).replaceAll(",", ""));
  const counters = {};
  for (const fate of ["accepted", "duplicate", "late", "dead_lettered"]) counters[fate] = await counter(fate);
  const name = await page.evaluate(() => `~${sessionStorage.getItem("millstream.visitor")}`);
  // Nothing is seen from before somebody looked: one more click, in another tab of the same shopper.
  const other = await page.context().newPage();
  await other.goto(page.url().replace(/#.*/, "#/shop"));
  await other.evaluate(([held, key]) => {
    sessionStorage.setItem("millstream.visitor", held.slice(1));
    sessionStorage.setItem("millstream.key", key);
  }, [name, await page.evaluate(() => sessionStorage.getItem("millstream.key"))]);
  await other.reload();
  await other.locator(".cards .card button.look").nth(1).click();
  const seen = await page.waitForSelector(`.events td:has-text("${name}")`, { timeout: 10_000 }).then(() => true, () => false);
  await other.close();
  return { counters, event_seen: seen };
}

export async function replayLetter(page) {
  await page.click("nav >> text=Dead letters");
  await page.waitForSelector(".letter", { timeout: 30_000 });
  const letters = await page.locator(".letter").count();
  await page.locator(".check input").check();
  const late = page.locator(".letter", { hasText: "late" }).first();
  await late.locator("button", { hasText: "Show" }).click();
  await page.waitForSelector(".letter pre");
  await late.locator("button", { hasText: "Send again" }).click();
  const told = await page.waitForSelector(".state.done", { timeout: 30_000 }).then((at) => at.textContent(), () => "");
  return { letters, replayed: told.startsWith("1 event is sent again") };
}
