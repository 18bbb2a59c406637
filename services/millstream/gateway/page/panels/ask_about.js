// What a shopper may ask about an item, answered with the fields that say so.
import { html, useState } from "../vendor/preact.js";
import { post } from "../pieces/api.js";
import { useDeed } from "../pieces/asked.js";
import { ItemLink } from "../pieces/shown.js";
import { Failed } from "../pieces/states.js";
import { visitor } from "../pieces/visitor.js";

const EXAMPLES = ["Is it in stock?", "What does it cost?", "Is there something like it that is cheaper?", "What do buyers say?", "Why do I see it?"];
const MOST_CHARS = 256;
const OF = { catalogue: "catalogue", reviews: "reviews", list: "your list" };

const shown = (value) => (value === null ? "not set" : value === true ? "yes" : value === false ? "no" : value);

function Fields({ source }) {
  const { title, ...fields } = source.fields;
  return html`<li><span class="badge quiet">${OF[source.of] ?? source.of}</span> ${title ?? source.item_id}:
    ${Object.entries(fields).map(([name, value], at) => html`${at ? ", " : " "}${name.replaceAll("_", " ")} <b>${shown(value)}</b>`)}</li>`;
}

function Answer({ question, told }) {
  const rests = told.known && told.sources.length > 0;
  return html`<p class="hint">${question}</p>
    <p class="said">${told.text}</p>
    ${!told.known && html`<p class="hint">No field of the catalogue, the reviews or your list says it.</p>`}
    ${told.cheaper.length > 0 && html`<p>${told.cheaper.map((item, at) => html`${at ? ", " : ""}<${ItemLink} key=${item.item_id} item=${item} />`)}</p>`}
    ${rests && html`<h3>It rests on</h3><ul class="plain-list" aria-label="Fields that the answer rests on">
      ${told.sources.map((source, at) => html`<${Fields} key=${at} source=${source} />`)}</ul>`}`;
}

// Asked by this tab's shopper. To be given a key by item, so that no answer stands beside another item.
export function AskAbout({ item }) {
  const [text, setText] = useState("");
  const asking = useDeed(async (question) => {
    const told = await post("/v1/questions", { question, item: item.item_id, user: `~${visitor()}` });
    return { question, told };
  });
  const askText = (question) => {
    setText(question);
    if (question.trim() && !asking.busy) asking.run(question.trim());
  };
  return html`<section aria-labelledby="ask" class="wide asking"><h2 id="ask">Ask about this item</h2>
    <form onSubmit=${(event) => { event.preventDefault(); askText(text); }}>
      <label for="question">A shopper's question, in English</label>
      <input id="question" type="text" autocomplete="off" maxlength=${MOST_CHARS} placeholder="Is it in stock?" value=${text} onInput=${(event) => setText(event.target.value)} />
      <button class="main" type="submit">Ask</button>
    </form>
    <p class="row" role="group" aria-label="Questions that are often asked">
      ${EXAMPLES.map((question) => html`<button key=${question} onClick=${() => askText(question)}>${question}</button>`)}</p>
    <div class="answer" role="status" aria-busy=${Boolean(asking.busy)}>
      ${asking.busy && html`<p class="hint">Looking it up …</p>`}
      ${asking.done && html`<${Answer} question=${asking.done.question} told=${asking.done.told} />`}
    </div>
    ${asking.error && html`<${Failed} error=${asking.error} again=${() => askText(text)} />`}
  </section>`;
}
