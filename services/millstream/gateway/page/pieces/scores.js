// What each source adds to a score, as one bar; the numbers stand beside it for who can't see it.
import { html } from "../vendor/preact.js";
import { SOURCES } from "./shown.js";

export function Parts({ parts, most }) {
  const rows = Object.entries(parts).filter(([, part]) => part >= 0.005).sort((a, b) => b[1] - a[1]);
  const said = rows.map(([source, part]) => `${SOURCES[source] ?? source} ${part.toFixed(2)}`).join(", ");
  return html`<div class="parts">
    <div class="bar" aria-hidden="true">
      ${rows.map(([source, part]) => html`<span key=${source} class="part ${source}" style=${{ width: `${(100 * part) / most}%` }}></span>`)}
    </div>
    <span class="numbers">${said}</span>
  </div>`;
}

export const Legend = () =>
  html`<ul class="legend" aria-label="Where scores come from">
    ${Object.entries(SOURCES).map(([source, name]) => html`<li key=${source}><span class="part ${source}"></span>${name}</li>`)}
  </ul>`;
