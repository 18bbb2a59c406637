// A list that cannot be asked for, and one that does not come: the page must say so beside the old one.
import { standIn } from "./standing_in.mjs";

const LISTS = "**/v1/recommendations/*";
const ENOUGH = 10_000;
const gone = (selector) => !document.querySelector(selector);

export async function cutOff(page, look) {
  await page.route(LISTS, (route) => route.abort());
  await page.waitForSelector(".for .stale >> text=What you see is older", { timeout: ENOUGH });
  await look();
  await page.unroute(LISTS);
  await page.waitForFunction(gone, ".for .stale", { timeout: ENOUGH });
}

// For good: the page's clock is not its own afterwards.
export async function waitInVain(page, look) {
  let held = null;
  const end = await standIn(page, LISTS, (list) => (held ??= list));
  await page.waitForResponse((answer) => answer.url().includes("/v1/recommendations/"));
  await page.clock.install();
  await page.locator(".cards .card button.look").nth(4).click();
  await page.waitForSelector(".took >> text=being made anew");
  await page.clock.fastForward(11_000);
  await page.waitForSelector(".took.late >> text=No new list has come", { timeout: ENOUGH });
  await look();
  await end();
}
