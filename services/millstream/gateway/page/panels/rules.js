// Merchandising rules: what is pinned, boosted and hidden, who changed what, and taking it back.
import { html, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked, useDeed } from "../pieces/asked.js";
import { linkTo } from "../pieces/place.js";
import { useTitles } from "../pieces/titles.js";
import { clock } from "../pieces/shown.js";
import { Empty, Failed, ReadOnly, Told } from "../pieces/states.js";
import { RuleForm, SCENARIOS } from "./rule_form.js";

const EVERY_MS = 3000;
const NEWEST = 30;
const MOST_TITLES = 100;
const NEW = {};
const titled = (ids) => [...new Set(ids.filter(Boolean))].slice(0, MOST_TITLES);
const when = (time) => clock(Date.parse(time));

function What({ terms, titles }) {
  const subject = terms.item_id
    ? html`<a href=${linkTo("item", { item: terms.item_id })}>${titles[terms.item_id]?.title ?? terms.item_id}</a>`
    : html`category <strong>${terms.category}</strong>`;
  if (terms.kind === "pin") return html`Pin ${terms.item_id ? "" : "the best of "}${subject} at place ${terms.place}`;
  if (terms.kind === "boost") return html`Multiply the score of ${subject} by ${terms.factor}`;
  return html`Hide ${subject}`;
}

function Schedule({ terms }) {
  const said = [
    terms.starts_at && `from ${when(terms.starts_at)} UTC`,
    terms.ends_at && `until ${when(terms.ends_at)} UTC`,
    terms.scenario && `in ${SCENARIOS[terms.scenario]} only`,
  ].filter(Boolean);
  return said.length > 0 && html`<span class="hint">${said.join(", ")}</span>`;
}

function Standing({ rule }) {
  if (rule.in_force.length) return html`<span class="badge good">in force</span>`;
  const over = rule.terms.ends_at && Date.parse(rule.terms.ends_at) <= Date.now();
  return html`<span class="badge quiet">${over ? "over" : "not yet"}</span>`;
}

function Rule({ rule, titles, busy, change, remove }) {
  return html`<li class="letter">
    <div class="row"><h3 class="name">${rule.rule_id}</h3><${Standing} rule=${rule} /><${Schedule} terms=${rule.terms} />
      <span class="push"></span>
      <span class="row">
        <button disabled=${busy} onClick=${() => change(rule)}>Change<span class="unseen"> ${rule.rule_id}</span></button>
        <button disabled=${busy} onClick=${() => remove(rule)}>Remove<span class="unseen"> ${rule.rule_id}</span></button>
      </span>
    </div>
    <p><${What} terms=${rule.terms} titles=${titles} /></p>
    ${rule.terms.note && html`<p class="hint">${rule.terms.note}</p>`}
  </li>`;
}

function did({ before, after, undoes }) {
  if (undoes) return "took a change back";
  if (!before) return "laid down";
  return after ? "changed" : "removed";
}

function Change({ change, titles, stands, busy, undo }) {
  const name = `${change.rule_id} of ${when(change.changed_at)}`;
  return html`<tr>
    <td class="when">${when(change.changed_at)}</td>
    <td>${change.key_note || change.key_id}${change.key_note && html` <span class="hint">${change.key_id}</span>`}</td>
    <th scope="row">${change.rule_id}</th>
    <td>${did(change)}: ${change.after ? html`<${What} terms=${change.after} titles=${titles} />` : html`was <${What} terms=${change.before} titles=${titles} />`}</td>
    <td>${stands && html`<button disabled=${busy} onClick=${() => undo(change)}>Undo<span class="unseen"> ${name}</span></button>`}</td>
  </tr>`;
}

// The newest change of each rule can be taken back; earlier ones once those after them are.
function newestOfEach(changes) {
  const seen = new Set();
  return new Set(changes.filter(({ rule_id }) => !seen.has(rule_id) && seen.add(rule_id)).map(({ change_id }) => change_id));
}

function Trail({ changes, titles, busy, undo }) {
  const standing = newestOfEach(changes);
  return html`<section aria-labelledby="trail" class="wide"><h2 id="trail">Who changed what</h2>
    ${changes.length
      ? html`<div class="scroll" tabindex="0" role="region" aria-label="Changes of rules"><table class="stack">
          <thead><tr><th scope="col">When (UTC)</th><th scope="col">Key</th><th scope="col">Rule</th><th scope="col">What</th><th scope="col"><span class="unseen">Undo</span></th></tr></thead>
          <tbody>${changes.map((change) => html`<${Change} key=${change.change_id} change=${change} titles=${titles} busy=${busy} undo=${undo} stands=${standing.has(change.change_id)} />`)}</tbody>
        </table></div>`
      : html`<p class="hint">Nobody has changed a rule yet.</p>`}
  </section>`;
}

const read = async () => {
  const [{ rules }, { changes }] = await Promise.all([ask("/v1/rules"), ask(`/v1/rules:changes?limit=${NEWEST}`)]);
  return { rules, changes };
};

export function Rules({ access }) {
  const open = access.scopes.includes("admin");
  const rules = useAsked(() => (open ? read() : null), [], EVERY_MS);
  const [editing, setEditing] = useState(null);
  const told = rules.value ?? { rules: [], changes: [] };
  const named = [...told.rules.map(({ terms }) => terms.item_id), ...told.changes.flatMap(({ before, after }) => [before?.item_id, after?.item_id])];
  const titles = useTitles(titled(named));
  const deed = useDeed(async (what, name, path, given) => {
    await ask(path, given);
    rules.again();
    setEditing(null);
    return `${what} ${name}: in force within two seconds.`;
  });
  if (!open) return html`<h1>Rules</h1><${ReadOnly} scope="admin" what="Looking at rules, and laying them down," />`;
  const put = (name, terms) => deed.run("Laid down", name, `/v1/rules/${encodeURIComponent(name)}`, { method: "PUT", body: terms });
  const remove = ({ rule_id }) => deed.run("Removed", rule_id, `/v1/rules/${rule_id}`, { method: "DELETE" });
  const undo = ({ rule_id, change_id }) => deed.run("Took back the change of", rule_id, "/v1/rules:undo", { method: "POST", body: { change_id } });
  return html`<div class="title-row"><h1>Rules</h1><p class="lead">What you lay down goes before what was learnt: pin an item to a place, multiply its score, or keep it out of every list.</p></div>
    ${deed.error && html`<${Failed} error=${deed.error} />`}
    <p role="status" class=${deed.done ? "state done" : "unseen"}>${deed.done ?? ""}</p>
    ${editing
      ? html`<${RuleForm} key=${editing.rule_id ?? ""} rule=${editing.rule_id ? editing : null} busy=${deed.busy} put=${put} leave=${() => setEditing(null)} />`
      : html`<p class="begin"><button class="main" onClick=${() => setEditing(NEW)}>Lay down a rule</button></p>`}
    <${Told} asked=${rules} what="the rules">${(value) => html`
      <section aria-labelledby="laid" class="wide"><h2 id="laid">Rules</h2>
        ${value.rules.length
          ? html`<ul>${value.rules.map((rule) => html`<${Rule} key=${rule.rule_id} rule=${rule} titles=${titles} busy=${deed.busy} change=${setEditing} remove=${remove} />`)}</ul>`
          : html`<${Empty} title="No rules">Lists are what was learnt of shoppers, and nothing else.<//>`}
      </section>
      <${Trail} changes=${value.changes} titles=${titles} busy=${deed.busy} undo=${undo} />`}<//>`;
}
