// A mini shop: what is clicked here is a real event, and the list beside it is the real answer.
import { html, useCallback, useEffect, useState } from "../vendor/preact.js";
import { useDeed } from "../pieces/asked.js";
import { saidOf } from "../pieces/list_told.js";
import { useList } from "../pieces/list_watch.js";
import { linkTo } from "../pieces/place.js";
import { DEEDS } from "../pieces/shown.js";
import { ReadOnly } from "../pieces/states.js";
import { anotherVisitor, tell, visitor } from "../pieces/visitor.js";
import { ListBeside } from "./list_beside.js";
import { Shelves } from "./shelves.js";

const LENGTH = 10;

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
      <${Shelves} act=${deed.run} closed=${closed} user=${`~${name}`} />
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
