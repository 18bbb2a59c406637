// The next version of each model: what its trainer waits for, or how far it is.
import { html } from "../vendor/preact.js";
import { ask } from "../pieces/api.js";
import { useAsked } from "../pieces/asked.js";
import { clock, count } from "../pieces/shown.js";
import { Empty, Told } from "../pieces/states.js";

const EVERY_MS = 1000;
// A trainer at work tells of itself at least every ten seconds.
const GONE_S = 60;
// The model that judges them; all others learn from what shoppers do.
const REVIEWS = "sentiment";

const STEPS = { reading: "what happened is being read", learning: "learning", judging: "the gate looks at it", registering: "it is being registered" };
const WHY = { lines: "enough was new", reviews: "enough reviews were new", time: "it was time", asked: "somebody asked", drift: "what shoppers do has changed" };

export function ago(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

function Bar({ share, label }) {
  const percent = Math.min(100, Math.round(100 * share));
  return html`<progress max="100" value=${percent} aria-label=${label}>${percent} %</progress>`;
}

const dueIn = (at) => (Date.parse(at) - Date.now()) / 1000;

function Waiting({ state, model }) {
  const { new: fresh, wanted, due_at } = state;
  const things = model === REVIEWS ? "rated reviews" : "things that shoppers did";
  const due = due_at && (dueIn(due_at) > 0 ? `or in ${ago(dueIn(due_at))}, if something is new` : "or as soon as something is new");
  if (fresh === null) return html`<p>Waits for ${count(wanted)} ${things}${due ? `, ${due}` : ""}. Too few have come to be counted yet.</p>`;
  const about = fresh && model !== REVIEWS ? "About " : "";
  return html`<${Bar} share=${wanted ? fresh / wanted : 1} label=${`${model}: ${things} until the next training`} />
    <p>${about}<strong>${count(fresh)}</strong> of ${count(wanted)} ${things} since the last training${due ? `, ${due}` : ""}.</p>`;
}

function AtWork({ state, model }) {
  const { step, why, began_at, fit, fits, done } = state;
  const which = step === "learning" && fits > 1 ? `, network ${fit} of ${fits}` : "";
  return html`<${Bar} share=${done} label=${`${model}: share of the training done`} />
    <p><strong>${Math.round(100 * done)} %</strong> learnt: ${STEPS[step] ?? step}${which}.</p>
    <p class="hint">Begun ${clock(Date.parse(began_at))}, because ${WHY[why] ?? why}.</p>`;
}

// Its figures stand beside the version.
const lastly = ({ version, verdict }) => (version ? `v${version}, ${verdict.split(";")[0]}.` : `${verdict}.`);

function One({ training }) {
  const { model, state, told_s_ago } = training;
  const gone = state.at_work && told_s_ago > GONE_S;
  const waits = state.step === "waiting";
  return html`<li class="letter training" data-step=${state.step}>
    <div class="row"><h3 class="name">${model}</h3>
      <span class="badge ${gone ? "warn" : waits ? "quiet" : "good"}">${gone ? "not heard of" : !state.at_work ? "ended" : waits ? "waits" : "trains"}</span></div>
    ${gone && html`<p class="stale" role="status">Its trainer last told of itself ${ago(told_s_ago)} ago: it may be away. What you see is older.</p>`}
    ${!state.at_work && html`<p class="hint">No trainer runs now: the last one ended ${ago(told_s_ago)} ago. One that runs by schedule comes again by itself.</p>`}
    ${waits ? html`<${Waiting} state=${state} model=${model} />` : html`<${AtWork} state=${state} model=${model} />`}
    ${state.last && html`<p class="hint">The last one, ${clock(Date.parse(state.last.at))}: ${lastly(state.last)}</p>`}
  </li>`;
}

export function Training() {
  const told = useAsked(() => ask("/v1/trainings"), [], EVERY_MS);
  return html`<section aria-labelledby="next" class="wide"><h2 id="next">Next training</h2>
    <${Told} asked=${told} what="how the next version stands">${({ trainings }) =>
      trainings.length
        ? html`<ul>${trainings.map((training) => html`<${One} key=${training.model} training=${training} />`)}</ul>`
        : html`<${Empty} title="No trainer has told of itself">Nothing is known of the next version. <code>millstream trainer</code> runs one.<//>`}<//>
  </section>`;
}
