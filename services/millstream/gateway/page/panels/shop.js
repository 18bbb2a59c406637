// A mini shop: what is clicked here is a real event, and the list beside it is the real answer.
import { html, useCallback, useEffect, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked, useDeed } from "../pieces/asked.js";
import { useList } from "../pieces/list_watch.js";
import { linkTo } from "../pieces/place.js";
import { DEEDS, price } from "../pieces/shown.js";
import { Empty, ReadOnly, Told } from "../pieces/states.js";
import { anotherVisitor, tell, visitor } from "../pieces/visitor.js";
import { ListBeside, saidOf } from "./list_beside.js";

const SHOWN = 24;
const LENGTH = 10;

function Card({ item, act, closed }) {
  return html`<li class="card">
    <button class="look" disabled=${closed} onClick=${() => act("view_item", item)}>
      <span class="tile hue${hueOf(item.item_id)}" aria-hidden="true">${initials(item.title)}</span>
      <span class="title">${item.title}</span>
      <span class="price">${price(item.price)}</span>
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

function Shelves({ act, closed }) {
  const [text, setText] = useState("");
  const shelf = useAsked(() => ask(`/v1/items?n=${SHOWN}&text=${encodeURIComponent(text)}`), [text], text ? null : 15_000);
  return html`<section class="shelves" aria-label="Shelves">
    <label class="search"><span>Search the shop</span>
      <input type="search" placeholder="lantern, mug, 22423 …" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
    <${Told} asked=${shelf} what="the shelves">${({ items, catalogue }) =>
      items.length
        ? html`<ul class="cards">${items.map((item) => html`<${Card} key=${item.item_id} item=${item} act=${act} closed=${closed} />`)}</ul>`
        : catalogue
          ? html`<${Empty} title="Nothing by that name">Try fewer words, or one of its stock code.<//>`
          : html`<${Empty} title="The catalogue is empty">Items come by the catalogue topic, or by <code>PUT /v1/items</code>.<//>`}
    <//>
  </section>`;
}

// Whether the list is on the screen: on a phone it may be far above what was clicked.
function useListSeen() {
  const [seen, setSeen] = useState(true);
  useEffect(() => {
    const watch = new IntersectionObserver(([entry]) => setSeen(entry.isIntersecting));
    const list = document.querySelector(".beside");
    if (list) watch.observe(list);
    return () => watch.disconnect();
  }, []);
  return seen;
}

export function Shop({ access }) {
  const [name, setName] = useState(visitor());
  const [done, setDone] = useState([]);
  const list = useList(`~${name}`, LENGTH);
  const closed = !access.scopes.includes("events:write");
  const seen = useListSeen();
  const deed = useDeed(async (type, item) => {
    const since = performance.now();
    setDone((before) => [{ type, item, n: before.length }, ...before].slice(0, 8));
    const answered = list.expect(since);
    try {
      await tell(name, type, item, list.list?.recommendation_id);
    } catch (error) {
      list.calm();
      throw error;
    }
    await answered;
  });
  const another = useCallback(() => {
    setName(anotherVisitor());
    setDone([]);
  }, []);
  if (!access.scopes.includes("lists:read")) return html`<h1>Shop</h1><${ReadOnly} scope="lists:read" what="Looking into the shop" />`;
  return html`<div class="title-row">
      <h1>Shop</h1>
      <p class="lead">You are a shopper nobody knows yet. Look at something: the event goes to Kafka, the list beside it is made anew.</p>
    </div>
    ${closed && html`<${ReadOnly} scope="events:write" what="Looking at items, as a shopper does," />`}
    ${deed.error && html`<p class="state failed" role="alert">${deed.error.message}</p>`}
    <div class="shop">
      <${Shelves} act=${deed.run} closed=${closed} />
      <aside class="beside">
        <${ListBeside} list=${list} done=${done} act=${deed.run} closed=${closed} />
        <section aria-labelledby="did"><h2 id="did">What you did</h2>
          ${done.length
            ? html`<ol class="did">${done.map(({ type, item, n }) => html`<li key=${n}><span>${DEEDS[type]}</span> ${item.title}</li>`)}</ol>`
            : html`<p class="hint">Nothing yet.</p>`}
          <p class="row"><button onClick=${another}>Be another shopper</button>
            <a href=${linkTo("shopper", { user: `~${name}` })}>How this list comes about</a></p>
        </section>
      </aside>
    </div>
    ${done.length > 0 && !seen && html`<p class="jump"><span>${saidOf(list)}</span>
      <button onClick=${() => document.getElementById("for").scrollIntoView()}>See it</button></p>`}`;
}
