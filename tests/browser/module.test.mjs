// The module of a storefront's pages in node, with a page, a clock and a gateway of the test's own.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const { connect } = await import(process.env.MILLSTREAM_MODULE);

const ADDRESS = "https://reco.example/v1/events?key=ms_k";
let page, timers, requests, beacons, answers, beaconTakes, troubles;

beforeEach(() => {
  page = { hidden: false, listeners: {} };
  timers = new Map();
  [requests, beacons, answers, troubles] = [[], [], [], []];
  beaconTakes = () => true;
  const listen = (name, heard) => (page.listeners[name] ??= []).push(heard);
  const stored = new Map();
  const fakes = {
    addEventListener: listen,
    document: { addEventListener: listen, get visibilityState() { return page.hidden ? "hidden" : "visible"; } },
    localStorage: { getItem: (name) => stored.get(name) ?? null, setItem: (name, value) => stored.set(name, value) },
    navigator: { sendBeacon: (address, blob) => beaconTakes() && (beacons.push([address, blob]), true) },
    setTimeout: (run, ms) => { const id = {}; timers.set(id, { run, ms }); return id; },
    clearTimeout: (id) => timers.delete(id),
    fetch: async (address, given) => {
      requests.push({ address, ...given, events: JSON.parse(given.body).events });
      const answer = answers.shift() ?? accepted;
      return answer(requests.at(-1));
    },
  };
  for (const [name, value] of Object.entries(fakes)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
});

const accepted = ({ events }) => Response.json({ verdicts: events.map(() => ({ status: "accepted" })) }, { status: 202 });
const problem = (status, headers = {}) => () => Response.json({ status }, { status, headers });
const shop = (more = {}) => connect({ url: "https://reco.example/", key: "ms_k", onTrouble: (told) => troubles.push(told), ...more });
const ids = (events) => events.map(({ event_id }) => event_id);
const inBeacons = async () => (await Promise.all(beacons.map(async ([, blob]) => JSON.parse(await blob.text()).events))).flat();

/** Runs the one timer that stands, and says for how long it would have waited. */
async function tick() {
  assert.equal(timers.size, 1, "one timer stands");
  const [[id, { run, ms }]] = timers;
  timers.delete(id);
  await run();
  return ms;
}

function turn(hidden, name = "visibilitychange") {
  page.hidden = hidden;
  for (const heard of page.listeners[name] ?? []) heard();
}

test("events go together, in order, with the key in the address and no cookie", async () => {
  const here = shop({ anonymousId: "cookie-1" });
  const sent = [here.track("view_item", { items: ["85123A"] }), here.track("search", { query: "mugs" }), here.track("add_to_cart", { items: [{ item_id: "i", quantity: 2 }, 7] })];
  assert.equal(requests.length, 0);
  assert.equal(await tick(), 1000);
  const [{ address, method, headers, credentials, events, keepalive }] = requests;
  assert.deepEqual([address, method, headers, credentials, keepalive], [ADDRESS, "POST", { "content-type": "text/plain" }, "omit", undefined]);
  assert.deepEqual(events, JSON.parse(JSON.stringify(sent)));
  assert.deepEqual(events[0].items, [{ item_id: "85123A" }]);
  assert.deepEqual(events[2].items, [{ item_id: "i", quantity: 2 }, { item_id: "7" }]);
  assert.ok(events.every((e) => e.anonymous_id === "cookie-1" && !("user_id" in e) && !Number.isNaN(Date.parse(e.time))));
  assert.equal(new Set(ids(events)).size, 3);
  assert.equal(here.waiting(), 0);
  assert.equal(timers.size, 0);
  assert.deepEqual(troubles, []);
});

test("who signs in is told with both ids, and who signs out is not", async () => {
  const here = shop();
  here.identify(17850);
  const event = here.track("view_item", { items: ["i"] });
  assert.deepEqual([event.user_id, event.anonymous_id], ["17850", here.anonymousId]);
  here.identify(null);
  assert.ok(!("user_id" in here.track("view_item", { items: ["i"] })));
});

test("the id that is made stays, as far as the browser keeps things", () => {
  assert.equal(shop().anonymousId, shop().anonymousId);
  globalThis.localStorage = { getItem() { throw new Error("blocked"); } };
  assert.notEqual(shop().anonymousId, shop().anonymousId);
});

for (const status of [408, 429, 500, 502, 503, 504]) {
  test(`${status} sends the same again, after as long as it is told`, async () => {
    answers = [problem(status, { "retry-after": "7" }), problem(status), () => Promise.reject(new TypeError("network"))];
    const here = shop();
    here.track("view_item", { items: ["i"] });
    await tick();
    assert.equal(await tick(), 7000);
    for (const [least, most] of [[1000, 2000], [2000, 4000]]) {
      const ms = await tick();
      assert.ok(least <= ms && ms <= most, `${ms} ms`);
    }
    assert.equal(requests.length, 4);
    assert.equal(new Set(requests.map(({ body }) => body)).size, 1);
    assert.equal(here.waiting(), 0);
  });
}

test("an answer that is no gateway's acknowledges nothing", async () => {
  answers = [() => new Response("<html>"), () => Response.json({}), () => Response.json({ verdicts: [] })];
  const here = shop();
  here.track("view_item", { items: ["i"] });
  for (const _ of [1, 2, 3]) { await tick(); assert.equal(here.waiting(), 1); }
  await tick();
  assert.equal(here.waiting(), 0);
});

test("what is refused is told, and the rest goes on", async () => {
  const refused = { status: "refused", reason: "bad_items", detail: "0 items" };
  answers = [() => Response.json({ verdicts: [refused, { status: "accepted" }] }, { status: 202 }), problem(401)];
  const here = shop();
  here.track("view_item");
  here.track("view_item", { items: ["i"] });
  await tick();
  here.track("view_item", { items: ["i"] });
  await tick();
  assert.deepEqual(troubles, [
    { kind: "refused", count: 1, reason: "bad_items: 0 items" },
    { kind: "lost", count: 1, reason: "the gateway answers 401" },
  ]);
  assert.equal(here.waiting(), 0);
});

test("a page that goes sends all that is not acknowledged by beacon, once", async () => {
  let answer;
  answers = [() => new Promise((resolve) => { answer = resolve; })];
  const here = shop();
  const first = here.track("view_item", { items: ["i"] });
  const sending = tick();
  const second = here.track("view_item", { items: ["j"] });
  turn(true);
  turn(true, "pagehide");
  assert.equal(beacons[0][0], ADDRESS);
  assert.equal(beacons[0][1].type, "text/plain");
  assert.deepEqual(ids(await inBeacons()), [first.event_id, second.event_id]);
  const third = here.track("view_item", { items: ["k"] });
  assert.deepEqual(ids(await inBeacons()).slice(2), [third.event_id]);
  answer(accepted(requests[0]));
  await sending;
  assert.equal(timers.size, 0, "a hidden page waits");
  turn(false);
  await tick();
  assert.deepEqual(ids(requests[1].events), [second.event_id, third.event_id], "sent again, to be heard of");
  assert.equal(here.waiting(), 0);
});

test("a beacon that is refused goes by fetch that outlives the page", async () => {
  beaconTakes = () => false;
  const here = shop();
  here.track("view_item", { items: ["i"] });
  turn(true, "pagehide");
  assert.deepEqual([requests.length, requests[0].keepalive], [1, true]);
  delete globalThis.navigator.sendBeacon;
  page.hidden = true;
  here.track("view_item", { items: ["j"] });
  assert.equal(requests.length, 2);
  assert.equal(requests[1].events.length, 1);
});

test("beacons and batches are no larger than browsers and gateways take", async () => {
  const here = shop();
  const query = "é".repeat(200);
  for (let n = 0; n < 350; n += 1) here.track("search", { query });
  turn(true, "pagehide");
  assert.equal((await inBeacons()).length, 350);
  for (const [, blob] of beacons) assert.ok(blob.size < 65_536, `${blob.size}`);
  turn(false);
  while (here.waiting() > 0) await tick();
  assert.ok(requests.length >= 4);
  assert.ok(requests.every(({ events }) => events.length <= 100));
  assert.equal(new Set(requests.flatMap(({ events }) => ids(events))).size, 350);
});

test("too many, or too large a one, is told and throws nothing", () => {
  const here = shop({ onTrouble: (told) => { troubles.push(told); throw new Error("the shop's own"); } });
  assert.equal(here.track("search", { query: "x".repeat(70_000) }), null);
  for (let n = 0; n < 1_000; n += 1) assert.ok(here.track("search", { query: "q" }));
  assert.equal(here.track("search", { query: "q" }), null);
  assert.deepEqual(troubles.map(({ reason }) => reason), ["too large", "too many wait"]);
  assert.throws(() => connect({ url: "https://reco.example" }), TypeError);
});
