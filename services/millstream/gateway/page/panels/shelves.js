// What the shop has: what sells best, or what is found by free text.
import { html, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { price } from "../pieces/shown.js";
import { Empty, Told } from "../pieces/states.js";

const SHOWN = 24;

function Card({ item, act, closed }) {
  return html`<li class="card">
    <button class="look" disabled=${closed} onClick=${() => act("view_item", item)}>
      <span class="tile hue${hueOf(item.item_id)}" aria-hidden="true">${initials(item.title)}</span>
      <span class="title">${item.title}</span>
      <span class="price">${price(item.price)}${item.in_stock === false && html` <span class="badge warn">out of stock</span>`}</span>
      <span class="unseen">, look at it</span>
    </button>
    <div class="deeds">
      <button disabled=${closed} onClick=${() => act("add_to_cart", item)}>To cart<span class="unseen">: ${item.title}</span></button>
      <button disabled=${closed} onClick=${() => act("purchase", item)}>Buy<span class="unseen"> ${item.title}</span></button>
    </div>
  </li>`;
}

const initials = (title) => title.split(/\s+/).filter((word) => /^[a-z]/i.test(word)).slice(0, 2).map((word) => word[0].toUpperCase()).join("") || "#";
const hueOf = (id) => [...id].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 6, 7);

// Both answers as {items, catalogue}.
async function shelfOf({ text, most, inStock, user }) {
  if (!text) return ask(`/v1/items?n=${SHOWN}`);
  const asked = new URLSearchParams({ q: text, n: SHOWN, in_stock: inStock, user });
  if (most >= 0) asked.set("max_price", most);
  const { items, catalogue } = await ask(`/v1/items:search?${asked}`);
  return { items: items.map(({ item }) => item), catalogue };
}

function Filters({ most, setMost, inStock, setInStock }) {
  return html`<div class="row filters" role="group" aria-label="Only">
    <label class="check"><input type="checkbox" checked=${inStock} onChange=${(e) => setInStock(e.target.checked)} /> in stock</label>
    <label class="most">at most <input type="number" min="0" step="0.01" inputmode="decimal" value=${most} onInput=${(e) => setMost(e.target.value)} /></label>
  </div>`;
}

const Nothing = ({ filtered }) =>
  filtered
    ? html`<${Empty} title="Nothing like it">With these filters. Without them there may be.<//>`
    : html`<${Empty} title="Nothing like it">Try other words, or a stock code as a whole.<//>`;

export function Shelves({ act, closed, user }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState("");
  const [inStock, setInStock] = useState(false);
  const said = text.trim();
  const bound = said && most !== "" ? Number(most) : NaN;
  const shelf = useAsked(
    () => shelfOf({ text: said, most: bound, inStock, user }),
    [said, said && String(bound), said && inStock, said && user],
    said ? null : 15_000,
  );
  return html`<section class="shelves" aria-label="Shelves">
    <div role="search" class="search">
      <label><span>Search the shop</span>
        <input type="search" maxlength="256" placeholder="red lantern, mgu, 22423 …" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
      ${said && html`<${Filters} most=${most} setMost=${setMost} inStock=${inStock} setInStock=${setInStock} />`}
    </div>
    <${Told} asked=${shelf} what="the shelves">${({ items, catalogue }) =>
      items.length
        ? html`<ul class="cards">${items.map((item) => html`<${Card} key=${item.item_id} item=${item} act=${act} closed=${closed} />`)}</ul>`
        : catalogue
          ? html`<${Nothing} filtered=${inStock || bound >= 0} />`
          : html`<${Empty} title="The catalogue is empty">Items come by the catalogue topic, or by <code>PUT /v1/items</code>.<//>`}
    <//>
  </section>`;
}
