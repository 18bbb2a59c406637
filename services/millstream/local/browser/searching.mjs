// The shop is searched by keyboard, with a word misspelt; then with a price that nothing meets.
const CARDS = ".shelves .cards .card";
const ENOUGH = 10_000;

const answered = (page) => page.waitForResponse((answer) => answer.url().includes("/v1/items:search"), { timeout: ENOUGH });

export async function searchShop(page) {
  const began = await page.locator(`${CARDS} .title`).first().textContent();
  await page.locator("input[type=search]").focus();
  const answers = answered(page);
  await page.keyboard.insertText("lantrn");
  const { items } = await (await answers).json();
  await page.waitForFunction(({ at, title }) => document.querySelector(at)?.textContent === title, { at: `${CARDS} .title`, title: items[0]?.item.title }, { timeout: ENOUGH });
  const first = await page.locator(`${CARDS} .title`).first().textContent();
  for (let tab = 0; tab < 2; tab += 1) await page.keyboard.press("Tab");
  const none = answered(page);
  await page.keyboard.insertText("0");
  await none;
  await page.waitForSelector(".shelves .empty", { timeout: ENOUGH });
  await page.locator("input[type=search]").fill("");
  await page.waitForFunction(({ at, title }) => document.querySelector(at)?.textContent === title, { at: `${CARDS} .title`, title: began }, { timeout: ENOUGH });
  return { searched: /lantern/i.test(first) };
}
