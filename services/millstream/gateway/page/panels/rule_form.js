// One merchandising rule, laid down or changed.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";

export const SCENARIOS = { home: "home lists", discover: "lists of new things", buy_again: "lists of things to buy again" };
const KINDS = { pin: "Pin to a place", boost: "Multiply the score", hide: "Hide" };
const MANY_HITS = 8;

// `datetime-local` knows no zone: what is typed is UTC, as everything on the page.
const shown = (time) => (time ? new Date(time).toISOString().slice(0, 16) : "");
const utc = (typed) => (typed ? `${typed}:00Z` : undefined);

function draftOf(rule) {
  const terms = rule?.terms ?? {};
  return {
    name: rule?.rule_id ?? "",
    kind: terms.kind ?? "pin",
    by: terms.category ? "category" : "item",
    subject: terms.item_id ?? terms.category ?? "",
    place: terms.place ?? 1,
    factor: terms.factor ?? 2,
    starts_at: shown(terms.starts_at),
    ends_at: shown(terms.ends_at),
    scenario: terms.scenario ?? "",
    note: terms.note ?? "",
  };
}

function termsOf(draft) {
  return {
    kind: draft.kind,
    [draft.by === "item" ? "item_id" : "category"]: draft.subject.trim(),
    place: draft.kind === "pin" ? Number(draft.place) : undefined,
    factor: draft.kind === "boost" ? Number(draft.factor) : undefined,
    starts_at: utc(draft.starts_at),
    ends_at: utc(draft.ends_at),
    scenario: draft.scenario || undefined,
    note: draft.note || undefined,
  };
}

function Field({ label, id, children }) {
  return html`<div class="field"><label for=${id}>${label}</label>${children}</div>`;
}

function Subject({ draft, set }) {
  const text = draft.by === "item" ? draft.subject.trim() : "";
  const found = useAsked(() => (text ? ask(`/v1/items?n=${MANY_HITS}&text=${encodeURIComponent(text)}`).catch(() => ({ items: [] })) : { items: [] }), [text]);
  const hits = (found.value?.items ?? []).filter(({ item_id }) => item_id !== text);
  return html`<${Field} label=${draft.by === "item" ? "Item" : "Category"} id="subject">
    <input id="subject" list="offered" required maxlength=${draft.by === "item" ? 128 : 256} value=${draft.subject} onInput=${set("subject")} placeholder=${draft.by === "item" ? "stock code, or words of its title" : "as the catalogue names it"} />
    <datalist id="offered">${hits.map(({ item_id, title }) => html`<option key=${item_id} value=${item_id}>${title}</option>`)}</datalist>
  <//>`;
}

const Choice = ({ id, value, set, choices }) =>
  html`<select id=${id} value=${value} onChange=${set}>${Object.entries(choices).map(([of, name]) => html`<option key=${of} value=${of}>${name}</option>`)}</select>`;

export function RuleForm({ rule, busy, put, leave }) {
  const [draft, setDraft] = useState(draftOf(rule));
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  const set = (field) => (event) => setDraft((old) => ({ ...old, [field]: event.target.value }));
  const submit = (event) => {
    event.preventDefault();
    put(draft.name, termsOf(draft));
  };
  return html`<form class="laying" onSubmit=${submit} aria-labelledby="rule-form">
    <h2 id="rule-form" tabindex="-1" ref=${heading}>${rule ? `Change ${rule.rule_id}` : "Lay down a rule"}</h2>
    <div class="fields">
      <${Field} label="Name" id="name"><input id="name" required pattern="[a-z0-9][a-z0-9\\-]{0,63}" title="lower-case letters, digits and hyphens" value=${draft.name} readonly=${Boolean(rule)} onInput=${set("name")} /><//>
      <${Field} label="What it does" id="kind"><${Choice} id="kind" value=${draft.kind} set=${set("kind")} choices=${KINDS} /><//>
      <${Field} label="For" id="by"><${Choice} id="by" value=${draft.by} set=${set("by")} choices=${{ item: "an item", category: "a category" }} /><//>
      <${Subject} draft=${draft} set=${set} />
      ${draft.kind === "pin" && html`<${Field} label="Place" id="place"><input id="place" type="number" min="1" max="200" required value=${draft.place} onInput=${set("place")} /><//>`}
      ${draft.kind === "boost" && html`<${Field} label="Factor" id="factor"><input id="factor" type="number" min="0.01" max="100" step="0.01" required value=${draft.factor} onInput=${set("factor")} /><//>`}
      <${Field} label="From (UTC)" id="from"><input id="from" type="datetime-local" value=${draft.starts_at} onInput=${set("starts_at")} /><//>
      <${Field} label="Until (UTC)" id="until"><input id="until" type="datetime-local" value=${draft.ends_at} min=${draft.starts_at} onInput=${set("ends_at")} /><//>
      <${Field} label="In" id="scenario"><${Choice} id="scenario" value=${draft.scenario} set=${set("scenario")} choices=${{ "": "all lists", ...SCENARIOS }} /><//>
      <${Field} label="Note" id="note"><input id="note" maxlength="256" value=${draft.note} onInput=${set("note")} placeholder="why" /><//>
    </div>
    <p class="row"><button class="main" disabled=${busy}>${rule ? "Change it" : "Lay it down"}</button>
      <button type="button" onClick=${leave}>${rule ? "Leave it as it is" : "Leave it"}</button></p>
  </form>`;
}
