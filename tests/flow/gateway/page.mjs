// A storefront's page in node: has the module from the gateway, tells of a visit, goes, and ends when
// all of it was answered. Arguments: the gateway's address, a key.
const [url, key] = process.argv.slice(2);
const answers = [];
const heard = {};
const page = { visibilityState: "visible", addEventListener() {} };
Object.assign(globalThis, { document: page, addEventListener: (name, run) => (heard[name] = run) });
Object.defineProperty(globalThis, "navigator", {
  value: { sendBeacon: (address, body) => answers.push(fetch(address, { method: "POST", body })) > 0 },
});

const module = await (await fetch(`${url}/static/millstream.js`)).text();
const { connect } = await import(`data:text/javascript,${encodeURIComponent(module)}`);
const troubles = [];
const shop = connect({ url, key, anonymousId: "cookie-1", everyMs: 1, onTrouble: (told) => troubles.push(told) });
shop.track("view_item", { items: ["i1"], event_id: "by-fetch" });
shop.track("view_item", { items: [], event_id: "refused" });
await shop.flush();
shop.identify("ann");
shop.track("add_to_cart", { items: ["i1"], event_id: "by-beacon" });
page.visibilityState = "hidden";
heard.pagehide();
const statuses = (await Promise.all(answers)).map(({ status }) => status);
console.log(JSON.stringify({ troubles, statuses }));
process.exit(0);
