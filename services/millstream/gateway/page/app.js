// START HERE. The page: which key, which panel. One panel a file, in panels/.
import { html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { ask } from "./pieces/api.js";
import { forgetKey, heldKey, takeKey } from "./pieces/key.js";
import { Failed, Loading } from "./pieces/states.js";
import { placeNow } from "./pieces/place.js";
import { useAsked } from "./pieces/asked.js";
import { SignIn } from "./panels/sign_in.js";
import { Shop } from "./panels/shop.js";
import { Shopper } from "./panels/shopper.js";
import { Live } from "./panels/live.js";
import { Letters } from "./panels/letters.js";
import { Experiments } from "./panels/experiments.js";
import { Item } from "./panels/item.js";
import { Kpis } from "./panels/kpis.js";
import { Models } from "./panels/models.js";
import { Rules } from "./panels/rules.js";

const PANELS = [
  { path: "shop", name: "Shop", Panel: Shop },
  { path: "shopper", name: "Shopper", Panel: Shopper },
  { path: "item", name: "Item", Panel: Item },
  { path: "live", name: "Live events", Panel: Live },
  { path: "letters", name: "Dead letters", Panel: Letters },
  { path: "models", name: "Models", Panel: Models },
  { path: "rules", name: "Rules", Panel: Rules },
  { path: "experiments", name: "Experiments", Panel: Experiments },
  { path: "kpis", name: "KPIs", Panel: Kpis },
];

function Head({ at, access, leave }) {
  const nav = useRef(null);
  useEffect(() => nav.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [at]);
  const mayWrite = access.scopes.includes("events:write") && access.scopes.includes("admin");
  return html`<header class="head">
    <a class="brand" href="#/shop"><img src="icon.svg" alt="" width="28" height="28" />Millstream</a>
    <nav aria-label="Panels" ref=${nav}>
      ${PANELS.map(
        ({ path, name }) =>
          html`<a key=${path} href="#/${path}" aria-current=${at === path ? "page" : null}>${name}</a>`,
      )}
    </nav>
    <p class="whose">
      <span class="tenant">${access.tenant}</span>
      ${!mayWrite && html`<span class="badge quiet" title=${`This key may: ${access.scopes.join(", ")}`}>read-only in part</span>`}
      <button class="plain" onClick=${leave}>Leave</button>
    </p>
  </header>`;
}

function Open({ leave }) {
  const access = useAsked(() => ask("/v1/key"), []);
  const [place, setPlace] = useState(placeNow());
  const main = useRef(null);
  useEffect(() => {
    const moved = () => {
      setPlace(placeNow());
      main.current?.focus();
    };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  if (access.error?.status === 401) return html`<${SignIn} refused=${true} entered=${access.again} />`;
  if (access.error) return html`<main class="alone"><h1>Millstream</h1><${Failed} error=${access.error} again=${access.again} /></main>`;
  if (!access.value) return html`<main class="alone"><h1>Millstream</h1><${Loading} what="the key" /></main>`;
  const shown = PANELS.find(({ path }) => path === place.path) ?? PANELS[0];
  document.title = `${shown.name} · Millstream`;
  return html`<a class="skip" href="#/${shown.path}" onClick=${(e) => { e.preventDefault(); main.current?.focus(); }}>To the content</a>
    <${Head} at=${shown.path} access=${access.value} leave=${leave} />
    <main ref=${main} tabindex="-1"><${shown.Panel} key=${shown.path} access=${access.value} asked=${place.asked} /></main>`;
}

function App() {
  const [has, setHas] = useState(heldKey() !== null);
  const leave = () => {
    forgetKey();
    setHas(false);
  };
  return has ? html`<${Open} leave=${leave} />` : html`<${SignIn} entered=${() => setHas(true)} />`;
}

takeKey();
addEventListener("hashchange", () => takeKey() && location.reload());
render(html`<${App} />`, document.getElementById("app"));
