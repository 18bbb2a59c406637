// Three products are looked at, the last by keyboard; after each the list must be another one.
const LIST = "section.for";
const ENOUGH = 10_000;

const items = (page) => page.locator(`${LIST} .ranked .title`).allTextContents();

async function click(page, card, byKeyboard) {
  const button = card.locator("button.look");
  const title = (await button.locator(".title").textContent()).trim();
  const before = (await items(page)).join("\n");
  const answers = page.waitForResponse((answer) => answer.url().endsWith("/v1/events"));
  if (byKeyboard) {
    await button.focus();
    await page.keyboard.press("Enter");
  } else {
    await button.click();
  }
  const sent = (await answers).request().postDataJSON();
  await page.waitForSelector(`${LIST}:not([data-took-ms])`, { timeout: 2000 }).catch(() => {});
  await page.waitForSelector(`${LIST}[data-took-ms]`, { timeout: ENOUGH });
  const took = Number(await page.locator(LIST).getAttribute("data-took-ms"));
  const reasons = await page.locator(`${LIST} .why`).allTextContents();
  return {
    item_id: sent.items[0].item_id,
    title,
    ms: took,
    changed: (await items(page)).join("\n") !== before,
    named: reasons.some((reason) => reason.includes(title)),
  };
}

export async function clickThree(page) {
  await page.waitForSelector(".cards .card");
  await page.waitForSelector(`${LIST} .ranked li`);
  const held = await page.evaluate(() => [location.hash, Object.keys(localStorage).length]);
  const clicked = [];
  for (const place of [0, 2, 5]) clicked.push(await click(page, page.locator(".cards .card").nth(place), place === 5));
  return { clicked, key_in_address: held[0].includes("key=") || held[1] > 0 };
}
