// One item closely: its entry, what was counted, what is like it.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { linkTo } from "../pieces/place.js";
import { count, DEEDS, ItemLink, price, Stock, Why } from "../pieces/shown.js";
import { Empty, ReadOnly, Told } from "../pieces/states.js";
import { AskAbout } from "./ask_about.js";

function Pick() {
  const [text, setText] = useState("");
  const found = useAsked(() => (text.trim() ? ask(`/v1/items?n=12&text=${encodeURIComponent(text)}`) : { items: [] }), [text]);
  const hits = found.value?.items ?? [];
  return html`<form class="pick" role="search" onSubmit=${(e) => { e.preventDefault(); if (hits.length) location.hash = linkTo("item", { item: hits[0].item_id }); }}>
    <label for="find">Find an item</label>
    <input id="find" type="search" placeholder="title or stock code" value=${text} onInput=${(e) => setText(e.target.value)} />
    ${text.trim() && found.value && html`<ul class="hits" aria-label="Items found">${hits.length
      ? hits.map((item) => html`<li key=${item.item_id}><a href=${linkTo("item", { item: item.item_id })} onClick=${() => setText("")}>${item.title}</a> <${Stock} item=${item} /></li>`)
      : html`<li class="hint">Nothing by that name.</li>`}</ul>`}
  </form>`;
}

const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.01 ? 2 : 1)} %`;

function Exposure({ exposure }) {
  if (!exposure) return html`<p class="hint">How often lists have it is not known: attribution has counted no list in the last days.</p>`;
  const { days, places, lists, share } = exposure;
  return html`<dl class="facts" data-exposure=${places}>
      <div><dt>in lists, ${days} days</dt><dd>${count(places)} of ${count(lists)}</dd></div>
      <div><dt>share of all places</dt><dd>${percent(share)}</dd></div>
    </dl>`;
}

function Counts({ card }) {
  const counts = Object.entries(card.counts);
  return html`<section aria-labelledby="counted"><h2 id="counted">Counted and shown</h2>
    ${counts.length === 0 && html`<p class="hint">No event has named it.</p>`}
    <dl class="facts">
      ${counts.map(([type, n]) => html`<div key=${type}><dt>${DEEDS[type] ?? type}</dt><dd>${count(n)}</dd></div>`)}
      <div><dt>click-through</dt><dd>${card.click_through === null ? "not known" : percent(card.click_through)}</dd></div>
    </dl>
    <${Exposure} exposure=${card.exposure} />
    ${card.click_through === null && html`<p class="hint">The storefront tells of no impressions (<code>view_item_list</code>) of this item.</p>`}
  </section>`;
}

const units = (n) => (n < 10 ? n.toFixed(1) : count(Math.round(n)));

function Demand({ demand }) {
  return html`<section aria-labelledby="demand" class="wide"><h2 id="demand">What will sell</h2>
    <dl class="facts">
      <div><dt>expected a week</dt><dd>${units(demand.expected)}</dd></div>
      <div><dt>in the middle</dt><dd>${units(demand.level)}</dd></div>
      <div><dt>in stock</dt><dd>${demand.units_in_stock === null ? "not told" : count(demand.units_in_stock)}</dd></div>
      <div><dt>lasts</dt><dd>${demand.days_of_stock === null ? "not known" : `${Math.floor(demand.days_of_stock)} days`}</dd></div>
    </dl>
    <div class="scroll" tabindex="0" role="region" aria-label="Units by week"><table>
      <thead><tr><th scope="col">Weeks after ${demand.first_week}</th><th scope="col">${Math.round(100 * demand.coverage)} % of weeks lie between</th></tr></thead>
      <tbody>${demand.low.map((low, week) => html`<tr key=${week}><th scope="row">${week}</th><td>${units(low)} and ${units(demand.high[week])}</td></tr>`)}</tbody>
    </table></div>
  </section>`;
}

function Card({ card }) {
  const { item } = card;
  useEffect(() => {
    document.title = `${item.title} · Millstream`;
  }, [item.title]);
  return html`<div class="halves">
      <section aria-labelledby="entry"><h2 id="entry">${item.title}</h2>
        <p><${Stock} item=${item} /></p>
        <dl class="facts">
          <div><dt>id</dt><dd>${item.item_id}</dd></div>
          <div><dt>category</dt><dd>${item.category || "none"}</dd></div>
          <div><dt>price</dt><dd>${price(item.price) || "not known"}</dd></div>
          ${card.reviews && html`<div><dt>reviewers like it</dt><dd>${count(card.reviews.good)} of ${count(card.reviews.good + card.reviews.bad)}</dd></div>`}
        </dl></section>
      <${Counts} card=${card} />
    </div>
    <${AskAbout} key=${item.item_id} item=${item} />
    ${card.demand && html`<${Demand} demand=${card.demand} />`}
    <section aria-labelledby="near" class="wide"><h2 id="near">Like it</h2>
      ${card.neighbours.length
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Items like it"><table class="stack">
            <thead><tr><th scope="col">Item</th><th scope="col">Why</th><th scope="col">Score</th><th scope="col">Stock</th></tr></thead>
            <tbody>${card.neighbours.map(({ item: near, score, source, reason }) => html`<tr key=${near.item_id}>
              <th scope="row"><${ItemLink} item=${near} /></th><td><${Why} of=${source} reason=${reason} /></td>
              <td class="number" data-label="Score">${score.toFixed(3)}</td><td><${Stock} item=${near} /></td></tr>`)}</tbody>
          </table></div>`
        : html`<${Empty} title="Nothing is like it yet">Neighbours come from what shoppers take together, and from the model.<//>`}
    </section>`;
}

export function Item({ access, asked }) {
  const id = asked.get("item");
  const mayLook = access.scopes.includes("lists:read");
  const first = useAsked(() => (mayLook && !id ? ask("/v1/items?n=8") : null), [id]);
  const card = useAsked(() => (mayLook && id ? ask(`/v1/items/${encodeURIComponent(id)}`) : null), [id]);
  if (!mayLook) return html`<h1>Item</h1><${ReadOnly} scope="lists:read" what="Looking at items" />`;
  return html`<div class="title-row"><h1>Item</h1><p class="lead">What the shop knows of an item, and what lists put beside it.</p></div>
    <${Pick} />
    ${id
      ? html`<${Told} asked=${card} what="the item">${(value) => value && html`<${Card} card=${value} />`}<//>`
      : html`<${Told} asked=${first} what="items">${(value) => value?.items.length
          ? html`<section aria-labelledby="best"><h2 id="best">What sells best</h2><ul class="plain-list">${value.items.map((item) => html`<li key=${item.item_id}><${ItemLink} item=${item} /></li>`)}</ul></section>`
          : html`<${Empty} title="No item yet">The catalogue is empty.<//>`}<//>`}`;
}
