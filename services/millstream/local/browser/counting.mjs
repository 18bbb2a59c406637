// Some shoppers look at an item, see the list that comes of it, and click one of its items: what the
// panel of KPIs is to count.
export async function useLists(page, item) {
  await page.evaluate(async (looked_at) => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("millstream.key")}`, "content-type": "application/json" };
    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    const listOf = async (user) => (await fetch(`/v1/recommendations/${user}?n=8`, { headers })).json();
    const tell = (user, type, items, of) =>
      fetch("/v1/events", { method: "POST", headers, body: JSON.stringify({ event_id: crypto.randomUUID(), type, time: new Date().toISOString(), user_id: user, items: items.map((item_id) => ({ item_id })), ...(of && { recommendation_id: of }) }) });
    for (let n = 0; n < 5; n += 1) {
      const user = `counted-${crypto.randomUUID().slice(0, 8)}`;
      await tell(user, "view_item", [looked_at]);
      let list = await listOf(user);
      // Of a shopper without a list of their own each answer has another id.
      for (let last = ""; last !== list.recommendation_id; list = await listOf(user)) {
        last = list.recommendation_id;
        await pause(100);
      }
      const items = list.items.map(({ item_id }) => item_id);
      await tell(user, "view_item_list", items, list.recommendation_id);
      if (n % 2 === 0) await tell(user, "select_item", items.slice(1, 2), list.recommendation_id);
    }
  }, item);
}
