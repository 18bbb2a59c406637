// What was refused, why, and sending it again.
import { html, useState } from "../vendor/preact.js";
import { ask, post } from "../pieces/api.js";
import { useAsked, useDeed } from "../pieces/asked.js";
import { clock, count } from "../pieces/shown.js";
import { Empty, Failed, Loading, ReadOnly, Told } from "../pieces/states.js";

const NEWEST = 50;
const WHY = {
  too_large: "too large",
  undecodable: "not to be decoded",
  duplicate_key: "a key twice",
  wrong_type: "of a wrong type",
  unknown_event_type: "no such event type",
  missing_field: "a field is missing",
  bad_id: "an id that may not be",
  bad_items: "items that may not be",
  out_of_range: "out of range",
  future_time: "from the future",
  late: "late",
  over: "too many ids of one shopper",
  poison: "poison",
};

const OF = { events: "event", reviews: "review" };

function said({ sent, not_sent }, of) {
  const kept = Object.entries(not_sent).map(([reason, n]) => `${count(n)} ${WHY[reason] ?? reason}`).join(", ");
  const went = sent === 1 ? `1 ${OF[of]} is sent again; it counts once.` : `${count(sent)} ${of} are sent again; each counts once.`;
  return `${sent ? went : "Nothing was sent."}${kept ? ` Not sent, since it would be refused again: ${kept}.` : ""}`;
}

function Whole({ place, of }) {
  const letter = useAsked(() => ask(`/v1/dead-letters/${place}?of=${of}`), [place, of]);
  if (letter.error) return html`<${Failed} error=${letter.error} again=${letter.again} />`;
  if (!letter.value) return html`<${Loading} what="the letter" />`;
  const { value, is_base64 } = letter.value;
  return html`<pre class="value" tabindex="0" aria-label="What came">${value === null ? "nothing is kept of it" : `${is_base64 ? "base64: " : ""}${value}`}</pre>`;
}

function Letter({ letter, of, replay, closed, sent }) {
  const [open, setOpen] = useState(false);
  const shown = `letter-${letter.letter.replace(":", "-")}`;
  return html`<li class="letter">
    <div class="heads"><div class="row">
      <span class="fate dead_lettered">${WHY[letter.reason] ?? letter.reason}</span>
      <span class="detail">${letter.detail}</span>
      <span class="hint">${clock(letter.log_ms)} · partition ${letter.partition}, offset ${count(letter.offset)} · ${count(letter.bytes)} bytes</span></div>
      <span class="row"><button aria-expanded=${open} aria-controls=${shown} onClick=${() => setOpen(!open)}>${open ? "Close" : "Show"}<span class="unseen"> letter ${letter.letter}</span></button>
      <button disabled=${closed || sent} onClick=${() => replay(letter)}>${sent ? "Sent" : "Send again"}<span class="unseen"> letter ${letter.letter}</span></button></span>
    </div>
    <div id=${shown}>${open && html`<${Whole} place=${letter.letter} of=${of} />`}</div>
  </li>`;
}

export function Letters({ access }) {
  const open = access.scopes.includes("admin");
  const [of, setOf] = useState("events");
  const letters = useAsked(() => (open ? ask(`/v1/dead-letters?of=${of}&limit=${NEWEST}`) : null), [of]);
  const [late, setLate] = useState(false);
  const [sent, setSent] = useState([]);
  const deed = useDeed(async (letter) => {
    const told = await post("/v1/dead-letters:replay", { of, places: [letter.letter], accept_late: late && of === "events" });
    if (told.sent) setSent((before) => [...before, `${of} ${letter.letter}`]);
    return said(told, of);
  });
  if (!open) return html`<h1>Dead letters</h1><${ReadOnly} scope="admin" what="Looking at what was refused" />`;
  const unsigned = of === "events" && !access.replays_letters; // reviews are sent again unsigned
  const closed = unsigned || deed.busy;
  return html`<div class="title-row"><h1>Dead letters</h1><p class="lead">Events or reviews that were refused, newest first. Sent again, each counts once, however often.</p></div>
    ${unsigned && html`<p class="state closed" role="note">This gateway has no signing key, so it sends nothing again: <code>millstream dead-letters replay</code> does.</p>`}
    <p class="row"><label for="letters-of">Letters of</label> <select id="letters-of" value=${of} onChange=${(e) => setOf(e.target.value)}>${Object.keys(OF).map((kind) => html`<option key=${kind} value=${kind}>${kind}</option>`)}</select>
      <button onClick=${letters.again}>Read anew</button>
      ${of === "events" && html`<label class="check"><input type="checkbox" checked=${late} onChange=${(e) => setLate(e.target.checked)} /> late ones too, which I know never counted</label>`}</p>
    ${deed.error && html`<${Failed} error=${deed.error} />`}
    <p role="status" class=${deed.done ? "state done" : "unseen"}>${deed.done ?? ""}</p>
    <${Told} asked=${letters} what="the dead letters; the whole topic is read, which takes seconds,">${(value) =>
      value?.found
        ? html`<p class="hint">${value.found > value.letters.length ? `The newest ${value.letters.length} of ${count(value.found)}.` : `${count(value.found)} in all.`}</p>
          <ul class="letters">${value.letters.toReversed().map((letter) => html`<${Letter} key=${`${of} ${letter.letter}`} letter=${letter} of=${of} replay=${deed.run} closed=${closed} sent=${sent.includes(`${of} ${letter.letter}`)} />`)}</ul>`
        : html`<${Empty} title="No dead letters">${of === "events" ? "Every event that came could be read, and was in time." : "Every review that came could be read."}<//>`}<//>`;
}
