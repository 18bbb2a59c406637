// Answers of the gateway that the minutes of a trial do not bring, stood in for, to look at the panel then.
const figure = (value, low, high) => ({ value, low, high });

const control = { name: "as-it-is", share: 500, shoppers: 120_480, settled: 118_204, clickers: 14_102, buyers: 3_310, places_seen: 1_904_221, places_clicked: 31_877, clicked: figure(0.119302, 0.1162, 0.1225), bought: figure(0.028, 0.0261, 0.03), click_through: figure(0.01674, 0.0163, 0.0172), difference: figure(null, null, null), decision: "control" };
const tried = { ...control, name: "shorter-memory", clickers: 15_544, buyers: 3_402, places_clicked: 34_450, clicked: figure(0.131502, 0.1282, 0.1348), bought: figure(0.028781, 0.0268, 0.0308), click_through: figure(0.01809, 0.0176, 0.0186), difference: figure(0.0122, 0.0076, 0.0168), decision: "better" };

export const decided = (shown) => ({ ...shown, report: { ...shown.report, variants: [control, tried], may_stop: true } });

const training = { step: "learning", wanted: 6_000, new: 6_180, why: "lines", began_at: "2026-11-30T04:11:09Z", fit: 2, fits: 3, done: 0.47, at_work: true };
const told = (state, told_s_ago) => () => ({ trainings: [{ model: "embedding", told_at: "2026-11-30T04:12:03Z", told_s_ago, state }] });

export const trains = told(training, 0.4);
export const gone = told(training, 754);

const forecast = { first_week: "2010-12-13", level: 14, expected: 17.5, low: [4, 3, 3, 2], high: [31, 33, 34, 36], coverage: 0.8, units_in_stock: 54, days_of_stock: 21.6 };

export const forecasted = (card) => ({ ...card, demand: forecast });

// What `answer` makes of the gateway's own; null: no answer at all. Returns how to end it.
export async function standIn(page, path, answer) {
  let ended = false;
  const handler = async (route) => {
    if (answer === null) return;
    try {
      const response = await route.fetch();
      await route.fulfill({ response, json: answer(await response.json()) });
    } catch (error) {
      if (!ended) throw error; // what was under way at the end, the page has let go by itself
    }
  };
  await page.route(path, handler);
  return () => {
    ended = true;
    return page.unroute(path, handler);
  };
}
