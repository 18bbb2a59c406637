// The gateway's routes, with the key of whoever looks at the page.
import { heldKey } from "./key.js";

export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.status = status;
    this.title = title;
  }
}

export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = { authorization: `Bearer ${heldKey()}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body && JSON.stringify(body), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "No answer", "The gateway does not answer. It may be restarting.");
  }
  if (answer.ok) return answer.json();
  const told = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, told.title ?? `Status ${answer.status}`, told.detail ?? "");
}

export const post = (path, body) => ask(path, { method: "POST", body });

export const listOf = (user, n) => ask(`/v1/recommendations/${encodeURIComponent(user)}?n=${n}`);
export const explainedListOf = (user, n) =>
  ask(`/v1/recommendations/${encodeURIComponent(user)}?n=${n}&explain=true`);
