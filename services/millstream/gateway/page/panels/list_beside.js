// The shopper's list as it changes: what is new, what moved, and why each item is there.
import { html } from "../vendor/preact.js";
import { saidOf } from "../pieces/list_told.js";
import { price, Why } from "../pieces/shown.js";
import { Failed, Loading, Older } from "../pieces/states.js";
import { useTitles } from "../pieces/titles.js";

function moved(before, item, place) {
  if (!before?.length) return null;
  const stood = before.findIndex(({ item_id }) => item_id === item.item_id);
  if (stood === -1) return html`<span class="moved new">new</span>`;
  if (stood === place) return null;
  return stood > place
    ? html`<span class="moved up" title=${`from place ${stood + 1}`}><span aria-hidden="true">↑</span><span class="unseen">up</span></span>`
    : html`<span class="moved down" title=${`from place ${stood + 1}`}><span aria-hidden="true">↓</span><span class="unseen">down</span></span>`;
}

const names = (reason, done) => done.some(({ item }) => reason?.includes(item.title));

export function ListBeside({ list, done, act, closed }) {
  const titles = useTitles(list.list?.items.map(({ item_id }) => item_id) ?? []);
  if (!list.list) return html`<section aria-labelledby="for"><h2 id="for">Recommended for you</h2>
    ${list.error ? html`<${Failed} error=${list.error} />` : html`<${Loading} what="the list" />`}</section>`;
  const { items, model_version, stale } = list.list;
  return html`<section aria-labelledby="for" class="for" data-took-ms=${list.awaited ? null : list.took_ms}>
    <h2 id="for">Recommended for you</h2>
    <p class="took ${list.late ? "late" : ""}" role="status" aria-live="polite">${saidOf(list)}</p>
    ${list.error && html`<${Older} error=${list.error} />`}
    ${stale && html`<p class="stale">Redis is away: this is the last list that the gateway remembers.</p>`}
    <ol class="ranked">${items.map((item, place) => {
      const about = titles[item.item_id] ?? { item_id: item.item_id, title: item.item_id };
      return html`<li key=${item.item_id} class=${names(item.reason, done) ? "named" : ""}>
        <button class="look" disabled=${closed} onClick=${() => act("select_item", about)}>
          <span class="title">${about.title}</span><span class="price">${price(about.price)}</span>
        </button>
        <p class="why">${moved(list.before, item, place)} <${Why} of=${item.source} reason=${item.reason} /></p>
      </li>`;
    })}</ol>
    <p class="hint">By model ${model_version === "none" ? "none yet: what others took together, and what sells" : model_version}.</p>
  </section>`;
}
