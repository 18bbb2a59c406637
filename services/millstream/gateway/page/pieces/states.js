// What a panel shows where it has nothing else to show.
import { html } from "../vendor/preact.js";

export const Loading = ({ what }) =>
  html`<p class="state loading" role="status"><span class="spinner" aria-hidden="true"></span>Fetching ${what} …</p>`;

export const Empty = ({ title, children }) =>
  html`<div class="state empty"><p class="title">${title}</p><p>${children}</p></div>`;

export function Failed({ error, again }) {
  const remedy = error.status === 503 ? "It will be tried again if you ask." : "";
  return html`<div class="state failed" role="alert">
    <p class="title">${error.title ?? "Something went wrong"}</p>
    <p>${error.message} ${remedy}</p>
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

// Where the key lacks a scope: what it would be good for, and how to get it.
export const ReadOnly = ({ scope, what }) =>
  html`<div class="state closed" role="note">
    <p class="title">Not with this key</p>
    <p>${what} needs a key with the scope <code>${scope}</code>. Whoever runs Millstream makes one:${" "}
      <code>millstream keys api create --scope ${scope}</code></p>
  </div>`;

export const Older = ({ error }) => html`<p class="stale" role="status">${error.message} What you see is older.</p>`;

// A value once it is there; what is old stays readable beside a note of the trouble.
export function Told({ asked, what, children }) {
  if (asked.value === undefined) {
    return asked.error
      ? html`<${Failed} error=${asked.error} again=${asked.again} />`
      : html`<${Loading} what=${what} />`;
  }
  return html`${asked.error && html`<${Older} error=${asked.error} />`}
    ${children(asked.value)}`;
}
