// How the lists do: clicks and purchases that go back to them, how wide the catalogue is shown, how quick it is.
import { html, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { count, Source } from "../pieces/shown.js";
import { Empty, ReadOnly, Told } from "../pieces/states.js";

const EVERY_MS = 5000;
const SPANS = { 1: "Today", 2: "Two days", 7: "A week" };

const share = (part) => (part === null ? "–" : `${(100 * part).toFixed(1)} %`);
const within = (ms) => (ms === null ? "–" : `${count(Math.round(ms))} ms`);
const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

const Tile = ({ name, n, hint }) =>
  html`<div class="tile-of" data-kpi=${name}><span class="n">${n}</span><span class="name">${name}</span><span class="hint">${hint}</span></div>`;

function Tiles({ told }) {
  const { lists, freshness, latency } = told;
  const clicked = sum(lists, "clicked");
  const seen = sum(lists, "seen");
  const rate = seen ? share(lists.reduce((part, row) => part + (row.click_through ?? 0) * row.seen, 0) / seen) : "–";
  const made = sum(lists, "lists");
  return html`<div class="tiles">
    <${Tile} name="Click-through" n=${rate} hint=${seen ? `of ${count(seen)} places told as seen` : "no view_item_list carries a list's id"} />
    <${Tile} name="Clicked" n=${count(clicked)} hint=${`places, of ${count(made)} lists`} />
    <${Tile} name="Bought" n=${count(sum(lists, "bought"))} hint="places of a list, within 24 hours" />
    <${Tile} name="Coverage" n=${share(told.coverage)} hint=${`${count(told.items_shown)} of ${count(told.catalogue)} items in a list`} />
    <${Tile} name="Top tenth" n=${share(told.top_share)} hint="of places go to the tenth of items shown most" />
    <${Tile} name="Freshness" n=${within(freshness.p50_ms)} hint=${freshness.p50_ms === null ? "tells nothing beside a replay of old events" : `half of the lists after their event; 99 in 100 within ${within(freshness.p99_ms)}`} />
    <${Tile} name="Latency" n=${within(latency.p50_ms)} hint=${`half of the answers; 99 in 100 within ${within(latency.p99_ms)}`} />
  </div>`;
}

const Number = ({ of }) => html`<td class="number">${of}</td>`;

function Versions({ rows }) {
  return html`<section aria-labelledby="versions" class="wide"><h2 id="versions">By model version</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="By model version"><table>
      <thead><tr><th scope="col">Model</th><th scope="col">Variant</th><th scope="col">Lists</th><th scope="col">Seen</th><th scope="col">Clicked</th><th scope="col">Bought</th><th scope="col">Click-through</th><th scope="col">Clicks a list</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${`${row.model_version} ${row.variant}`}><th scope="row">${row.model_version}</th><td>${row.variant}</td>
        <${Number} of=${count(row.lists)} /><${Number} of=${count(row.seen)} /><${Number} of=${count(row.clicked)} /><${Number} of=${count(row.bought)} />
        <${Number} of=${share(row.click_through)} /><${Number} of=${row.clicks_per_list === null ? "–" : row.clicks_per_list.toFixed(3)} /></tr>`)}</tbody>
    </table></div></section>`;
}

function Sources({ rows }) {
  return html`<section aria-labelledby="sources" class="wide"><h2 id="sources">By source</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="By source"><table>
      <thead><tr><th scope="col">Source</th><th scope="col">Model</th><th scope="col">Places</th><th scope="col">Seen</th><th scope="col">Clicked</th><th scope="col">Bought</th><th scope="col">Click-through</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${`${row.source} ${row.model_version} ${row.variant}`}><th scope="row"><${Source} of=${row.source} /></th><td>${row.model_version}</td>
        <${Number} of=${count(row.places)} /><${Number} of=${count(row.seen)} /><${Number} of=${count(row.clicked)} /><${Number} of=${count(row.bought)} /><${Number} of=${share(row.click_through)} /></tr>`)}</tbody>
    </table></div></section>`;
}

export function Kpis({ access }) {
  const open = access.scopes.includes("admin");
  const [days, setDays] = useState("1");
  const kpis = useAsked(() => (open ? ask(`/v1/kpis?days=${days}`) : null), [days], EVERY_MS);
  if (!open) return html`<h1>KPIs</h1><${ReadOnly} scope="admin" what="Looking at how the lists do" />`;
  return html`<div class="title-row"><h1>KPIs</h1><p class="lead">What shoppers do with their lists. A place of a list counts once as seen, clicked and bought, on the day of its list (UTC).</p></div>
    <p class="row" role="group" aria-label="Since when">${Object.entries(SPANS).map(([n, name]) => html`<button key=${n} aria-pressed=${days === n} onClick=${() => setDays(n)}>${name}</button>`)}</p>
    <${Told} asked=${kpis} what="the figures">${(told) =>
      told?.lists.length
        ? html`<${Tiles} told=${told} /><${Versions} rows=${told.lists} /><${Sources} rows=${told.sources} />
          <p class="hint">${count(told.carried)} of the clicks and purchases carried the list's id; the rest go to the newest list that had the item. ${count(told.unknown)} carried the id of a list that is not held any more, or was made for one request.</p>`
        : html`<${Empty} title="Nothing counted">No list of these days was counted. <code>millstream attribution</code> does so while it runs.<//>`}<//>`;
}
