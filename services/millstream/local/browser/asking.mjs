// An item is asked about by keyboard: what its fields say, with the fields, and what none of them says.
const ANSWER = ".asking .answer";
const ENOUGH = 10_000;

export async function ask(page, question) {
  await page.locator("#question").fill(question);
  const answers = page.waitForResponse((answer) => answer.url().endsWith("/v1/questions"), { timeout: ENOUGH });
  await page.locator("#question").press("Enter");
  const told = await (await answers).json();
  await page.waitForFunction(([at, asked]) => document.querySelector(at)?.textContent === asked, [`${ANSWER} .hint`, question], { timeout: ENOUGH });
  return told;
}

export async function askAbout(page, item) {
  await page.evaluate((hash) => { location.hash = hash; }, `#/item?item=${encodeURIComponent(item)}`);
  await page.waitForSelector("#question", { timeout: ENOUGH });
  const told = await ask(page, "Is it in stock?");
  const said = await page.locator(`${ANSWER} .said`).textContent();
  const fields = await page.locator(`${ANSWER} ul`).textContent();
  const answered = told.known && said === told.text && /in stock (yes|no)/.test(fields);
  await ask(page, "Will it rain tomorrow?");
  const unknown = (await page.locator(`${ANSWER} .said`).textContent()) === "I do not know.";
  return { question_answered: answered, question_not_known: unknown && !(await page.locator(`${ANSWER} ul`).count()) };
}
