// What happens just now, and what becomes of it.
import { html, useMemo, useRef, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { Line } from "../pieces/chart.js";
import { linkTo } from "../pieces/place.js";
import { clock, count, DEEDS } from "../pieces/shown.js";
import { Empty, ReadOnly, Told } from "../pieces/states.js";
import { useTitles } from "../pieces/titles.js";

const EVERY_MS = 1000;
const SHOWN = 40;
const MINUTE = 60;
const FATES = { accepted: "accepted", duplicate: "duplicate", late: "late", dead_lettered: "dead letter", replayed: "sent again" };
const OF_LEDGER = { accepted: ["acc"], duplicate: ["dup"], late: ["late"], dead_lettered: ["bad", "over"] };
const TOLD = {
  accepted: "counted once",
  duplicate: "came before, counted once",
  late: "more than a day after their time",
  dead_lettered: "not to be read, or too many",
};

function Counters({ told }) {
  const of = (fate) => OF_LEDGER[fate].reduce((sum, name) => sum + told.ledger[name], 0);
  return html`<ul class="tiles" aria-label="Counters">
      ${Object.keys(OF_LEDGER).map((fate) => html`<li key=${fate} class="tile-of ${fate}" data-fate=${fate}>
        <span class="n">${count(of(fate))}</span><span class="name">${FATES[fate]}</span><span class="hint">${TOLD[fate]}</span></li>`)}
    </ul>
    <p class="hint">Exact, since counting began: each record of this tenant has one fate.${told.left_out && " Events come too fast for all to be shown."}</p>`;
}

// Events a second over the last minute, by when this page saw them.
function usePace(told) {
  const seen = useRef([]);
  return useMemo(() => {
    const now = Math.floor(Date.now() / 1000);
    seen.current.push([now, told?.fresh ?? 0]);
    seen.current = seen.current.filter(([at]) => at > now - MINUTE);
    const times = Array.from({ length: MINUTE }, (_, i) => now - MINUTE + 1 + i);
    return [times, times.map((at) => seen.current.reduce((sum, [when, n]) => sum + (when === at ? n : 0), 0))];
  }, [told]);
}

function useFeed(open) {
  const newest = useRef(0);
  const held = useRef([]);
  const total = useRef(null);
  return useAsked(
    async () => {
      if (!open) return null;
      const told = await ask(`/v1/live?after=${newest.current}`);
      const all = Object.values(told.fates).reduce((sum, n) => sum + n, 0);
      const fresh = total.current === null || all < total.current ? 0 : all - total.current;
      if (total.current !== null && all < total.current) held.current = [];
      total.current = all;
      newest.current = told.events.at(-1)?.n ?? (all ? newest.current : 0);
      held.current = [...told.events.toReversed(), ...held.current].slice(0, SHOWN);
      return { ...told, events: held.current, fresh };
    },
    [],
    EVERY_MS,
  );
}

function Row({ event, titles }) {
  const { fate, type, shopper, items, item_count, reason } = event;
  const first = items?.[0];
  const more = item_count > 1 ? ` and ${item_count - 1} more` : "";
  return html`<tr>
    <td class="when">${clock(event.log_ms)}</td>
    <td><span class="fate ${fate}">${FATES[fate]}</span>${reason && html` <span class="hint">${reason.replaceAll("_", " ")}</span>`}</td>
    <td>${type ? (DEEDS[type] ?? type) : "not to be read"}</td>
    <td>${first && html`<a href=${linkTo("item", { item: first })}>${titles[first]?.title ?? first}</a>`}${more}</td>
    <td>${shopper && html`<a href=${linkTo("shopper", { user: shopper })}>${shopper}</a>`}</td>
  </tr>`;
}

function Feed({ told }) {
  const [times, values] = usePace(told);
  const [held, setHeld] = useState(null);
  const events = held ?? told.events;
  const titles = useTitles([...new Set(events.flatMap(({ items }) => items?.slice(0, 1) ?? []))]);
  const last = values.at(-2) ?? 0;
  return html`<${Counters} told=${told} />
    <${Line} times=${times} values=${values} label="Events a second" said=${`Events a second over the last minute; ${last} in the last whole second`} />
    <p class="row"><button aria-pressed=${held !== null} onClick=${() => setHeld(held ? null : told.events)}>${held ? "Go on" : "Hold still"}</button>
      <span class="hint" role="status">${told.following ? (held ? "Held still." : "Following.") : "Kafka is being asked …"}</span>
      <a href="#/letters">Dead letters</a></p>
    ${events.length
      ? html`<div class="scroll" tabindex="0" role="region" aria-label="The newest events"><table class="events">
          <thead><tr><th scope="col">When</th><th scope="col">Fate</th><th scope="col">What</th><th scope="col">Item</th><th scope="col">Shopper</th></tr></thead>
          <tbody>${events.map((event) => html`<${Row} key=${event.n} event=${event} titles=${titles} />`)}</tbody></table></div>`
      : html`<${Empty} title="Nothing has happened yet">Events show up here as they reach Kafka. Look at something in the <a href="#/shop">mini shop</a>.<//>`}`;
}

export function Live({ access }) {
  const open = access.scopes.includes("admin");
  const feed = useFeed(open);
  if (!open) return html`<h1>Live events</h1><${ReadOnly} scope="admin" what="Watching events" />`;
  return html`<div class="title-row"><h1>Live events</h1><p class="lead">Every event as it stands in Kafka, and what becomes of it.</p></div>
    <${Told} asked=${feed} what="events">${(told) => html`<${Feed} told=${told} />`}<//>`;
}
