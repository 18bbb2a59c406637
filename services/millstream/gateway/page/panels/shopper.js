// Why a shopper gets this list: what is known, what each source adds, what rules took out.
import { html, useEffect, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { linkTo } from "../pieces/place.js";
import { Legend, Parts } from "../pieces/scores.js";
import { clock, count, DEEDS, ItemLink, RULES, Why } from "../pieces/shown.js";
import { Empty, ReadOnly, Told } from "../pieces/states.js";
import { visitor } from "../pieces/visitor.js";

function Pick({ given }) {
  const [user, setUser] = useState(given);
  useEffect(() => setUser(given), [given]);
  const seen = useAsked(() => ask("/v1/live").catch(() => ({ events: [] })), []);
  const shoppers = [...new Set((seen.value?.events ?? []).map(({ shopper }) => shopper).filter(Boolean).reverse())].slice(0, 20);
  const go = (event) => {
    event.preventDefault();
    location.hash = linkTo("shopper", { user: user.trim() });
  };
  return html`<form class="pick" onSubmit=${go}>
    <label for="user">Shopper</label>
    <input id="user" list="seen" value=${user} required maxlength="129" onInput=${(e) => setUser(e.target.value)} />
    <datalist id="seen">${shoppers.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
    <button class="main">Show</button>
    <p class="hint"><code>~</code> stands before an anonymous one. Yours in the mini shop: <a href=${linkTo("shopper", { user: `~${visitor()}` })}>~${visitor()}</a></p>
    ${shoppers.length > 0 && html`<p class="hint row">Just now: ${shoppers.slice(0, 6).map((name) => html`<a key=${name} href=${linkTo("shopper", { user: name })}>${name}</a> `)}</p>`}
  </form>`;
}

function Known({ preview }) {
  const counts = Object.entries(preview.counts);
  return html`<section aria-labelledby="known"><h2 id="known">What is known</h2>
    <dl class="facts">
      ${counts.map(([type, n]) => html`<div key=${type}><dt>${DEEDS[type] ?? type}</dt><dd>${count(n)}</dd></div>`)}
      <div><dt>items bought</dt><dd>${count(preview.bought.length)}</dd></div>
      <div><dt>model</dt><dd>${preview.model_version}</dd></div>
      <div><dt>variant</dt><dd>${preview.variant}</dd></div>
    </dl>
    ${preview.recent.length
      ? html`<ol class="recent">${preview.recent.slice(0, 12).map(({ item, type, time_ms }, n) => html`<li key=${n}>
          <span class="when">${clock(time_ms)}</span> ${DEEDS[type] ?? type} <${ItemLink} item=${item} /></li>`)}</ol>`
      : html`<p class="hint">Nothing yet: the list is what sells best, and what is new.</p>`}
  </section>`;
}

function List({ items, again }) {
  const most = Math.max(...items.map(({ score }) => score), 0.0001);
  return html`<section aria-labelledby="list" class="wide"><h2 id="list">The list, as it would be made now</h2>
    <div class="row above"><${Legend} /><span class="push"></span><button onClick=${again}>Ask again</button></div>
    <div class="scroll" tabindex="0" role="region" aria-label="The list"><table class="stack">
      <thead><tr><th scope="col">#</th><th scope="col">Item</th><th scope="col">Why</th><th scope="col">Score, by source</th></tr></thead>
      <tbody>${items.map(({ item, score, source, reason, parts }, place) => html`<tr key=${item.item_id}>
        <td class="number">${place + 1}</td>
        <th scope="row"><${ItemLink} item=${item} /></th>
        <td><${Why} of=${source} reason=${reason} /></td>
        <td class="score"><strong>${score.toFixed(3)}</strong><${Parts} parts=${parts} most=${most} /></td>
      </tr>`)}</tbody>
    </table></div>
  </section>`;
}

function TakenOut({ rows }) {
  return html`<section aria-labelledby="out" class="wide"><h2 id="out">What was taken out, and why</h2>
    ${rows.length
      ? html`<div class="scroll" tabindex="0" role="region" aria-label="What was taken out"><table class="stack">
          <thead><tr><th scope="col">Item</th><th scope="col">Score</th><th scope="col">Rule</th></tr></thead>
          <tbody>${rows.slice(0, 50).map(({ item, score, rule }) => html`<tr key=${item.item_id}>
            <th scope="row"><${ItemLink} item=${item} /></th><td class="number">${score.toFixed(3)}</td><td>${RULES[rule] ?? rule}</td></tr>`)}</tbody>
        </table></div>`
      : html`<p class="hint">Nothing that would have had room.</p>`}
  </section>`;
}

export function Shopper({ access, asked }) {
  const user = asked.get("user") ?? `~${visitor()}`;
  const mayLook = access.scopes.includes("lists:read");
  const preview = useAsked(() => (mayLook ? ask(`/v1/previews?user=${encodeURIComponent(user)}`) : null), [user]);
  if (!mayLook) return html`<h1>Shopper</h1><${ReadOnly} scope="lists:read" what="Looking at a shopper's list" />`;
  return html`<div class="title-row"><h1>Shopper</h1>
      <p class="lead">Pick a shopper: what is known of them, the list it leads to, and what was kept out.</p></div>
    <${Pick} given=${user} />
    <${Told} asked=${preview} what="the preview">${(value) => html`
      <div class="halves"><${Known} preview=${value} />
        <section aria-labelledby="bought"><h2 id="bought">Bought before</h2>
          ${value.bought.length
            ? html`<ul class="plain-list">${value.bought.slice(0, 14).map((item) => html`<li key=${item.item_id}><${ItemLink} item=${item} /></li>`)}</ul>
              ${value.bought.length > 14 && html`<p class="hint">and ${count(value.bought.length - 14)} more</p>`}`
            : html`<p class="hint">Nothing.</p>`}
        </section></div>
      ${value.items.length ? html`<${List} items=${value.items} again=${preview.again} />` : html`<${Empty} title="An empty list">There is nothing popular, nothing new and nothing alike yet.<//>`}
      <${TakenOut} rows=${value.taken_out} />`}
    <//>`;
}
