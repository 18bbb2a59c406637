// The versions of each model, what the gate said of them, and which one serves.
import { html, useRef, useState } from "../vendor/preact.js";
import { ask, post } from "../pieces/api.js";
import { useAsked, useDeed } from "../pieces/asked.js";
import { clock } from "../pieces/shown.js";
import { Empty, Failed, ReadOnly, Told } from "../pieces/states.js";
import { Training } from "./training.js";

const EVERY_MS = 3000;

function Verdict({ row }) {
  if (row.refused) return html`<span class="badge warn">can't be used</span> ${row.refused}`;
  return html`<span class="badge ${row.passed ? "good" : "warn"}">${row.passed ? "passed" : "not passed"}</span> ${row.verdict}`;
}

const Metrics = ({ metrics }) =>
  html`<details><summary>Figures</summary><dl class="facts small">${Object.entries(metrics ?? {}).map(([name, n]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd>${Number(n.toPrecision(4))}</dd></div>`)}</dl></details>`;

function Version({ row, wants, busy }) {
  const name = `${row.model} v${row.version}`;
  return html`<li class="letter version ${row.current ? "current" : ""}">
    <div class="row"><h3 class="name">${name}</h3>${row.current && html`<span class="badge good">serves</span>`}
      ${row.created_at && html`<span class="hint">trained ${clock(Date.parse(row.created_at))}</span>`}
      <span class="push"></span>
      ${!row.current && !row.refused && html`<button disabled=${busy} onClick=${() => wants({ kind: "promote", row })}>Promote<span class="unseen"> ${name}</span></button>`}
      ${row.current && html`<button disabled=${busy} onClick=${() => wants({ kind: "rollback", row })}>Roll back<span class="unseen"> from ${name}</span></button>`}
    </div>
    <p><${Verdict} row=${row} /></p>
    ${row.metrics && html`<${Metrics} metrics=${row.metrics} />`}
  </li>`;
}

function Question({ wanted, yes, dialog }) {
  const [force, setForce] = useState(false);
  const held = wanted?.kind === "promote" && !wanted.row.passed;
  return html`<dialog ref=${dialog} aria-labelledby="asks" onClose=${() => setForce(false)}>
    ${wanted && html`<form method="dialog">
      <h2 id="asks">${wanted.kind === "promote" ? `Let v${wanted.row.version} serve?` : `Back to what served before v${wanted.row.version}?`}</h2>
      <p>Workers follow within seconds; lists made from then on bear its version.</p>
      ${held && html`<p class="state failed">The gate did not let it through: ${wanted.row.verdict}</p>
        <label class="check"><input type="checkbox" checked=${force} onChange=${(e) => setForce(e.target.checked)} /> promote it all the same</label>`}
      <p class="row"><button class="main" disabled=${held && !force} onClick=${(e) => { e.preventDefault(); dialog.current.close(); yes(wanted, force); }}>
        ${wanted.kind === "promote" ? "Promote" : "Roll back"}</button><button>Leave it</button></p>
    </form>`}
  </dialog>`;
}

export function Models({ access }) {
  const open = access.scopes.includes("admin");
  const models = useAsked(() => (open ? ask("/v1/models") : null), [], EVERY_MS);
  const [wanted, setWanted] = useState(null);
  const dialog = useRef(null);
  const deed = useDeed(async ({ kind, row }, force) => {
    const path = kind === "promote" ? `versions/${row.version}/promote${force ? "?force=true" : ""}` : `rollback?current=${row.version}`;
    const told = await post(`/v1/models/${row.model}/${path}`);
    models.again();
    return `${told.model} v${told.version} serves from now on: ${told.verdict}.`;
  });
  if (!open) return html`<h1>Models</h1><${ReadOnly} scope="admin" what="Looking at models, and moving them," />`;
  const wants = (what) => {
    setWanted(what);
    dialog.current.showModal();
  };
  return html`<div class="title-row"><h1>Models</h1><p class="lead">What was trained, what the gate said of it, and which version serves.</p></div>
    ${deed.error && html`<${Failed} error=${deed.error} />`}
    <p role="status" class=${deed.done ? "state done" : "unseen"}>${deed.done ?? ""}</p>
    <${Question} wanted=${wanted} yes=${deed.run} dialog=${dialog} />
    <${Training} />
    <${Told} asked=${models} what="the models">${(value) =>
      value?.versions.length
        ? html`<h2>Versions</h2><ul>${value.versions.toReversed().map((row) => html`<${Version} key=${`${row.model}-${row.version}`} row=${row} wants=${wants} busy=${deed.busy} />`)}</ul>`
        : html`<${Empty} title="No model yet">The trainer makes the first one when enough has happened; until then lists come from what is taken together, and what sells.<//>`}<//>`;
}
