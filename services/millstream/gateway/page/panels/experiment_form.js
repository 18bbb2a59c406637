// An experiment of two variants: lists as they are, and lists by another version of the model, or with
// some settings otherwise.
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { SOURCES } from "../pieces/shown.js";

export const METRICS = { clicked: "shoppers who clicked", bought: "shoppers who bought", click_through: "click-through" };
const WHOLE = { min: 0, max: 1000, step: 1 };
const PART = { min: 0, max: 1, step: 0.01 };
const SETTINGS = {
  popular_places: ["places for best sellers", WHOLE],
  popular_items: ["how many are best sellers", WHOLE],
  per_category: ["items of one category", WHOLE],
  bought_before: ["items bought before", WHOLE],
  looked_at: ["items looked at before", WHOLE],
  least_days_of_stock: ["days that stock must last", { min: 0, max: 365, step: 0.5 }],
  least_reviews: ["reviews from which they count", { min: 1, max: 100000, step: 1 }],
  most_disliked: ["share that may dislike an item", PART],
  liked_told: ["share that is told in reasons", PART],
  liked_weight: ["weight of being liked", { min: 0, max: 10, step: 0.01 }],
  variety: ["variety", PART],
  explore_place: ["place to try something out", WHOLE],
  recent_items: ["newest items that lead to others", WHOLE],
  recency: ["recency", PART],
  repeat_recency: ["recency of what is seen again", PART],
  learnt_blend: ["weights of the sources", { learnt: "as the version learnt them", fixed: "fixed" }],
};
const WEIGHTED = ["repeat", "covisited", "embedding", "popular", "new"];
const CHOICES = {
  ...SETTINGS,
  ...Object.fromEntries(WEIGHTED.map((source) => [`weights.${source}`, [`weight of ${SOURCES[source]}`, { min: 0, max: 100, step: 0.01 }]])),
};
const FIRST = { setting: "popular_places", value: "" };

function settingsOf(changed) {
  const settings = {};
  for (const { setting, value } of changed) {
    const [name, source] = setting.split(".");
    if (name === "learnt_blend") settings[name] = value === "learnt";
    else if (source) settings.weights = { ...settings.weights, [source]: Number(value) };
    else settings[name] = Number(value);
  }
  return settings;
}

// `share`: percent of the shoppers in the second variant; those who are in neither: `out`.
function termsOf({ metric, smallest, days, share, out, note, changed, plain_version, tried_version }) {
  const tried = Math.round(10 * Number(share));
  const made_by = (version) => (version ? { model_version: Number(version) } : {});
  return {
    variants: [
      { name: "as-it-is", share: 1000 - tried - Math.round(10 * Number(out)), ...made_by(plain_version) },
      { name: "tried", share: tried, ...(changed.length && { settings: settingsOf(changed) }), ...made_by(tried_version) },
    ],
    metric,
    smallest_effect: Number(smallest) / 100,
    days: Number(days),
    note: note || undefined,
  };
}

const Field = ({ label, id, children }) => html`<div class="field"><label for=${id}>${label}</label>${children}</div>`;

function Value({ at, change, set }) {
  const [, bounds] = CHOICES[change.setting];
  const given = { id: `value-${at}`, required: true, value: change.value, onInput: (e) => set(at, { ...change, value: e.target.value }) };
  if (bounds.step) return html`<input type="number" ...${given} ...${bounds} />`;
  return html`<select ...${given}><option value="">choose</option>${Object.entries(bounds).map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}</select>`;
}

function Change({ at, change, set, remove }) {
  return html`<${Field} label=${at ? "and" : "Tried: with"} id=${`setting-${at}`}>
      <select id=${`setting-${at}`} value=${change.setting} onChange=${(e) => set(at, { setting: e.target.value, value: "" })}>
        ${Object.entries(CHOICES).map(([name, [said]]) => html`<option key=${name} value=${name}>${said}</option>`)}</select><//>
    <${Field} label="at" id=${`value-${at}`}><div class="row"><${Value} at=${at} change=${change} set=${set} />
      <button type="button" onClick=${() => remove(at)}>Not this<span class="unseen"> ${CHOICES[change.setting][0]}</span></button></div><//>`;
}

const standing = ({ current, passed }) => (current ? ", serves" : passed ? "" : ", not let through by the gate");

function MadeBy({ id, label, versions, value, onChange }) {
  return html`<${Field} label=${label} id=${id}><select id=${id} value=${value} onChange=${onChange}>
    <option value="">whichever serves</option>
    ${versions.map((row) => html`<option key=${row.version} value=${row.version}>v${row.version}${standing(row)}</option>`)}</select><//>`;
}

export function ExperimentForm({ busy, begin, leave }) {
  const [draft, setDraft] = useState({ name: "", metric: "clicked", smallest: 1, days: 14, share: 50, out: 0, note: "", changed: [FIRST], plain_version: "", tried_version: "" });
  const models = useAsked(() => ask("/v1/models"), []);
  const versions = (models.value?.versions ?? []).filter((row) => row.makes_lists && !row.refused).reverse();
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  const set = (field) => (event) => setDraft((old) => ({ ...old, [field]: event.target.value }));
  const change = (edit) => setDraft((old) => ({ ...old, changed: edit(old.changed) }));
  const submit = (event) => {
    event.preventDefault();
    begin(draft.name, termsOf(draft));
  };
  const Numbered = (id, label, bounds) =>
    html`<${Field} label=${label} id=${id}><input id=${id} type="number" required ...${bounds} value=${draft[id]} onInput=${set(id)} /><//>`;
  return html`<form class="laying" onSubmit=${submit} aria-labelledby="experiment-form">
    <h2 id="experiment-form" tabindex="-1" ref=${heading}>Begin an experiment</h2>
    <div class="fields">
      <${Field} label="Name" id="name"><input id="name" required pattern="[a-z0-9][a-z0-9\\-]{0,63}" title="lower-case letters, digits and hyphens" value=${draft.name} onInput=${set("name")} /><//>
      <${Field} label="Decided by" id="metric"><select id="metric" value=${draft.metric} onChange=${set("metric")}>${Object.entries(METRICS).map(([of, said]) => html`<option key=${of} value=${of}>${said}</option>`)}</select><//>
      ${Numbered("smallest", "Smallest difference that matters, points", { min: 0.01, max: 50, step: 0.01 })}
      ${Numbered("days", "Days", { min: 1, max: 28, step: 1 })}
      ${Numbered("share", "Shoppers with what is tried, %", { min: 0.1, max: Math.min(99.9, 99.9 - Number(draft.out)), step: 0.1 })}
      ${Numbered("out", "Shoppers in neither, %", { min: 0, max: 99.8, step: 0.1 })}
      <${MadeBy} id="plain_version" label="As it is: by model version" versions=${versions} value=${draft.plain_version} onChange=${set("plain_version")} />
      <${MadeBy} id="tried_version" label="Tried: by model version" versions=${versions} value=${draft.tried_version} onChange=${set("tried_version")} />
      ${draft.changed.map((each, at) => html`<${Change} key=${at} at=${at} change=${each} set=${(where, to) => change((all) => all.map((one, n) => (n === where ? to : one)))} remove=${(where) => change((all) => all.filter((_, n) => n !== where))} />`)}
      <${Field} label="Note" id="note"><input id="note" maxlength="256" value=${draft.note} onInput=${set("note")} placeholder="what it is to show" /><//>
    </div>
    <p class="hint">Name a version for both to compare them even if another one comes into service meanwhile.</p>
    <p class="row"><button class="main" disabled=${busy || !(draft.changed.length || draft.tried_version || draft.plain_version)}>Begin it</button>
      <button type="button" onClick=${() => change((all) => [...all, FIRST])}>${draft.changed.length ? "Another setting" : "A setting"}</button>
      <button type="button" onClick=${leave}>Leave it</button></p>
  </form>`;
}
