// Without a key nothing is shown.
import { html, useState } from "../vendor/preact.js";
import { holdKey } from "../pieces/key.js";

export function SignIn({ refused, entered }) {
  const [key, setKey] = useState("");
  const enter = (event) => {
    event.preventDefault();
    holdKey(key.trim());
    entered();
  };
  return html`<main class="alone">
    <h1><img src="icon.svg" alt="" width="36" height="36" />Millstream</h1>
    <form onSubmit=${enter}>
      ${refused && html`<p class="state failed" role="alert">That key is not in force. It may be mistyped, or revoked.</p>`}
      <label for="key">API key</label>
      <input id="key" type="password" autocomplete="off" spellcheck="false" required value=${key} onInput=${(e) => setKey(e.target.value)} />
      <button class="main" type="submit">Open</button>
      <p class="hint">Made by <code>millstream keys api create</code>. With <code>lists:read</code> you can look on, with
        <code>events:write</code> shop, with <code>admin</code> see events and move models. It stays in this tab.</p>
    </form>
  </main>`;
}
