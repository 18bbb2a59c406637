// The newest version is let serve, then the one before it; what served before is brought back. The
// gate may have let through neither, on so few days: then it is told to do it all the same.
const SERVES = ".version.current .name";
const PATIENCE_MS = 15_000;

const version = async (row) => (await row.textContent()).trim().split(/\s+/)[1];
const serving = (page) => version(page.locator(SERVES));

async function confirmed(page, wanted) {
  const force = page.locator("dialog input[type=checkbox]");
  if (await force.count()) await force.check();
  await page.locator("dialog button.main").click();
  const serves = ([at, name]) => document.querySelector(at)?.textContent.endsWith(` ${name}`);
  await page.waitForFunction(serves, [SERVES, wanted], { timeout: PATIENCE_MS });
}

async function promoted(page) {
  const other = page.locator(".version:not(.current)").first();
  const wanted = await version(other.locator(".name"));
  await other.locator("button", { hasText: "Promote" }).click();
  await confirmed(page, wanted);
  return wanted;
}

export async function moveModels(page) {
  await page.click("nav >> text=Models");
  await page.waitForSelector(".version");
  if (!(await page.locator(SERVES).count())) await promoted(page);
  const before = await serving(page);
  const chosen = await promoted(page);
  const moved = (await serving(page)) === chosen && chosen !== before;
  await page.locator(".version.current button", { hasText: "Roll back" }).click();
  await confirmed(page, before);
  return { promoted: moved, rolled_back: (await serving(page)) === before };
}
