// An experiment for its panel to show: so small a change that the lists of the trial stay what they are.
export async function someExperiment(page) {
  await page.evaluate(async () => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("millstream.key")}`, "content-type": "application/json" };
    const variants = [{ name: "as-it-is", share: 500 }, { name: "shorter-memory", share: 500, settings: { recent_items: 23 } }];
    await fetch("/v1/experiments/shorter-memory", { method: "PUT", headers, body: JSON.stringify({ variants, metric: "clicked", note: "does the last item matter?" }) });
  });
}
