// Experiments: the split, what each variant shows, and whether that may be believed yet.
import { html, useState } from "../vendor/preact.js";
import { ask, post } from "../pieces/api.js";
import { useAsked, useDeed } from "../pieces/asked.js";
import { linkTo } from "../pieces/place.js";
import { clock, count } from "../pieces/shown.js";
import { Empty, Failed, ReadOnly, Told } from "../pieces/states.js";
import { ExperimentForm, METRICS } from "./experiment_form.js";

const EVERY_MS = 5000;
const DECISIONS = {
  control: ["compared with", "quiet"],
  undecided: ["not decided yet", "quiet"],
  better: ["better", "good"],
  worse: ["worse", "warn"],
  no_difference: ["no difference", "quiet"],
  void: ["void", "warn"],
};

const when = (time) => clock(Date.parse(time));
const percent = (part) => (100 * part).toFixed(2);

// With the ends between which it lies, whenever one looks, and what it was counted from.
function Figure({ of, counted, sign }) {
  const said = of.value === null ? null : `${sign && of.value > 0 ? "+" : ""}${percent(of.value)} ${sign ? "points" : "%"}`;
  return html`<div>${said ?? html`<span class="hint">too few yet</span>`}
    ${said && html`<br /><span class="hint">${percent(of.low)} to ${percent(of.high)}</span>`}
    ${counted && html`<br /><span class="hint">${counted}</span>`}</div>`;
}

const Badge = ({ of }) => html`<span class=${`badge ${DECISIONS[of][1]}`}>${DECISIONS[of][0]}</span>`;

const changes = ({ weights, ...others } = {}) => [
  ...Object.entries(others),
  ...Object.entries(weights ?? {}).map(([source, weight]) => [`weight of ${source}`, weight]),
];

const Settings = ({ variant }) => {
  const by = variant.model_version ? [`model v${variant.model_version}`] : [];
  const said = [...by, ...changes(variant.settings).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)];
  return html`<span class="hint">${said.join(", ") || "as it is"}</span>`;
};

function Split({ split }) {
  const fits = split.verdict === "fits";
  return html`<p class=${fits ? "hint" : "state failed"} role=${fits ? null : "alert"} data-split=${split.verdict}>${fits
    ? `The split is as laid down (p ${split.always_valid_p.toPrecision(2)} at every look, ${split.p_value.toPrecision(2)} for one).`
    : "The variants did not get the shoppers that were laid down: some are lost on the way, and no figure below means anything. Look for what drops or repeats lists of one variant."}</p>`;
}

const shopperFigure = (of, n, { settled }) => html`<${Figure} of=${of} counted=${`${count(n)} of ${count(settled)}`} />`;
const placeFigure = ({ click_through, places_clicked, places_seen }) =>
  html`<${Figure} of=${click_through} counted=${`${count(places_clicked)} of ${count(places_seen)} places`} />`;

const COLUMNS = [
  ["Difference", (row) => (row.decision === "control" ? "–" : html`<${Figure} of=${row.difference} sign=${true} />`)],
  ["Clicked", (row) => shopperFigure(row.clicked, row.clickers, row)],
  ["Bought", (row) => shopperFigure(row.bought, row.buyers, row)],
  ["Click-through", placeFigure],
  ["Settled", (row) => count(row.settled)],
  ["Shoppers", (row) => count(row.shoppers)],
  ["Share", (row) => `${(row.share / 10).toFixed(1)} %`],
];

function Variants({ experiment: { terms }, told }) {
  const tried = Object.fromEntries(terms.variants.map((variant) => [variant.name, variant]));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Variants"><table class="stack labelled">
    <thead><tr><th scope="col">Variant</th>${COLUMNS.map(([name], at) => html`<th scope="col" key=${name}>${name}${at === 0 && html`<br />of ${METRICS[terms.metric]}`}</th>`)}</tr></thead>
    <tbody>${told.variants.map((row) => html`<tr key=${row.name} data-variant=${row.name}>
      <th scope="row" class="variant">${row.name} <${Badge} of=${row.decision} /><br /><${Settings} variant=${tried[row.name]} /></th>
      ${COLUMNS.map(([name, shown]) => html`<td class="number" key=${name} data-label=${name}>${shown(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function Standing({ experiment }) {
  if (experiment.running) return html`<span class="badge good">running</span>`;
  return html`<span class="badge quiet">${experiment.ended ? "ended" : "over"}</span>`;
}

const signed = ({ at, key_id, key_note }) => `${when(at)} UTC with ${key_note || key_id}`;

function Shown({ told, busy, end }) {
  const { experiment, report, counted_to } = told;
  return html`<section aria-labelledby="shown" class="wide">
    <div class="row"><h2 id="shown">${experiment.experiment_id}</h2><${Standing} experiment=${experiment} /><span class="push"></span>
      ${experiment.running && html`<button disabled=${busy} onClick=${() => end(experiment)}>End it</button>`}</div>
    ${experiment.terms.note && html`<p>${experiment.terms.note}</p>`}
    <p class="hint">Begun ${signed(experiment.begun)}. ${experiment.ended ? `Ended ${signed(experiment.ended)}.` : `${experiment.running ? "Runs until" : "Ran until"} ${when(experiment.over_at)} UTC.`}
      ${" "}${counted_to ? `Counted up to ${when(counted_to)} UTC.` : "Nothing is counted: millstream attribution does so while it runs."}</p>
    <${Split} split=${report.split} />
    ${report.may_stop && report.split.verdict === "fits" && experiment.running && html`<p class="state done" role="status">Every variant is decided: it may be stopped.</p>`}
    <${Variants} experiment=${experiment} told=${report} />
    <p class="hint">A shopper counts with what they did in the day after their first list here, once it is over: then they are settled, and the figures are of them alone: who clicked, who bought, places of lists seen and of them clicked. Intervals hold whenever one looks.</p>
  </section>`;
}

function Others({ experiments, chosen }) {
  return html`<section aria-labelledby="all" class="wide"><h2 id="all">All experiments</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Experiments, the newest first"><table class="stack">
      <thead><tr><th scope="col">Name</th><th scope="col">Begun (UTC)</th><th scope="col">Decided by</th><th scope="col">Standing</th></tr></thead>
      <tbody>${experiments.map((each) => html`<tr key=${each.experiment_id}>
        <th scope="row"><a href=${linkTo("experiments", { experiment: each.experiment_id })} aria-current=${each.experiment_id === chosen ? "true" : null}>${each.experiment_id}</a></th>
        <td class="when">${when(each.begun.at)}</td><td>${METRICS[each.terms.metric]}</td><td><${Standing} experiment=${each} /></td></tr>`)}</tbody>
    </table></div></section>`;
}

export function Experiments({ access, asked }) {
  const open = access.scopes.includes("admin");
  const [beginning, setBeginning] = useState(false);
  const all = useAsked(() => (open ? ask("/v1/experiments") : null), [], EVERY_MS);
  const experiments = all.value?.experiments ?? [];
  const chosen = asked.get("experiment") ?? experiments[0]?.experiment_id ?? null;
  const shown = useAsked(() => (open && chosen ? ask(`/v1/experiments/${encodeURIComponent(chosen)}`) : null), [chosen], EVERY_MS);
  const deed = useDeed(async (what, name, doing) => {
    await doing();
    all.again();
    shown.again();
    setBeginning(false);
    return `${what} ${name}: workers follow within two seconds.`;
  });
  if (!open) return html`<h1>Experiments</h1><${ReadOnly} scope="admin" what="Looking at experiments, and beginning them," />`;
  const begin = (name, terms) => deed.run("Began", name, () => ask(`/v1/experiments/${encodeURIComponent(name)}`, { method: "PUT", body: terms }));
  const end = ({ experiment_id }) => deed.run("Ended", experiment_id, () => post("/v1/experiments:end", { experiment_id }));
  const running = experiments.some((each) => each.running);
  return html`<div class="title-row"><h1>Experiments</h1><p class="lead">Lists made another way for part of the shoppers, and whether that is better.</p></div>
    ${deed.error && html`<${Failed} error=${deed.error} />`}
    <p role="status" class=${deed.done ? "state done" : "unseen"}>${deed.done ?? ""}</p>
    ${beginning
      ? html`<${ExperimentForm} busy=${deed.busy} begin=${begin} leave=${() => setBeginning(false)} />`
      : html`<p class="begin"><button class="main" disabled=${running} onClick=${() => setBeginning(true)}>Begin an experiment</button>
          ${running && html` <span class="hint">One at a time: end the one that is running first.</span>`}</p>`}
    <${Told} asked=${all} what="experiments">${() => chosen
      ? html`<${Told} asked=${shown} what="the experiment">${(told) => told && html`<${Shown} told=${told} busy=${deed.busy} end=${end} />`}<//>
        <${Others} experiments=${experiments} chosen=${chosen} />`
      : html`<${Empty} title="No experiments">All shoppers get lists made the same way.<//>`}<//>`;
}
