// Tells a Millstream gateway what shoppers do on a page. No dependencies, no build step:
//
//   import { connect } from "https://reco.example/static/millstream.js";
//   const shop = connect({ url: "https://reco.example", key: "ms_..." });
//   shop.track("view_item", { items: ["85123A"] });
//
// While the page is open batches go by fetch, so that what the gateway says is heard: 429, 503 and
// silence send the same again, after Retry-After where it is told. When the page is hidden, and perhaps
// gone for good, a copy of all that is not acknowledged goes by sendBeacon, or by fetch with keepalive
// where that is refused; if the page comes back it is sent again. An event that arrives twice counts
// once, by its event_id. Nothing is thrown into the shop's code but for a wrong `connect`.

const MOST_IN_BATCH = 100;
const MOST_BYTES = 60_000; // browsers let 64 KiB be on their way when a page goes
const MOST_WAITING = 1_000;
const PATIENCE_MS = [1_000, 60_000];
const STORED = "millstream.anonymous_id";
const AGAIN = new Set([408, 429, 500, 502, 503, 504]);

/**
 * `key` has the scope events:write and no other: everyone can read it. `anonymousId` is that of the
 * shop's own cookie; without it one is made and kept in localStorage, as far as the browser lets it.
 * `onTrouble({kind, count, reason})` hears of events that were "refused" for what they say, or
 * "lost": too many waited, or the gateway does not take this key.
 */
export function connect({ url, key, anonymousId, userId = null, everyMs = 1_000, onTrouble = warn }) {
  if (!url || !key) throw new TypeError("millstream: connect({ url, key }) needs both");
  const address = `${url.replace(/\/+$/, "")}/v1/events?key=${encodeURIComponent(key)}`;
  const anonymous = anonymousId || keptId();
  const waiting = []; // {text, bytes} of what is not acknowledged, the oldest first
  let user = userId;
  let underWay = 0; // so many of the first are in a fetch that is not answered
  let copied = 0; // so many of the first went by beacon
  let failures = 0;
  let timer = null;

  /** Returns the event, or null where it is not taken: too many wait, or it does not fit a batch. */
  function track(type, fields = {}) {
    const items = (fields.items ?? []).map((item) => (typeof item === "object" ? item : { item_id: String(item) }));
    const who = user === null ? { anonymous_id: anonymous } : { user_id: user, anonymous_id: anonymous };
    const event = { event_id: newId(), type, time: new Date().toISOString(), ...who, ...fields, items };
    const text = JSON.stringify(event);
    const bytes = new Blob([text]).size + 1;
    const reason = waiting.length >= MOST_WAITING ? "too many wait" : bytes > MOST_BYTES ? "too large" : null;
    if (reason !== null) return trouble("lost", 1, reason);
    waiting.push({ text, bytes });
    if (document.visibilityState === "hidden") leave();
    else later(everyMs);
    return event;
  }

  /** From now on events bear this user's id beside the anonymous one; null after a logout. */
  function identify(id) {
    user = id === null ? null : String(id);
  }

  async function send() {
    clearTimeout(timer);
    timer = null;
    if (underWay > 0 || waiting.length === 0) return;
    const batch = batchFrom(0);
    underWay = batch.length;
    const waitMs = await answered(batch);
    underWay = 0;
    if (waiting.length > 0 && document.visibilityState !== "hidden") later(waitMs);
  }

  /** Sends a batch and hears what became of it; says how long to wait before the next. */
  async function answered(batch) {
    let retryAfterMs = null;
    try {
      const answer = await fetch(address, request(batch));
      if (answer.ok) {
        const { verdicts } = await answer.json();
        if (verdicts.length === batch.length) {
          failures = 0;
          settle(batch);
          tell(verdicts.filter(({ status }) => status !== "accepted"));
          return everyMs;
        }
      } else if (!AGAIN.has(answer.status)) {
        settle(batch);
        trouble("lost", batch.length, `the gateway answers ${answer.status}`);
        return everyMs;
      } else {
        retryAfterMs = seconds(answer.headers.get("retry-after"));
      }
    } catch {
      // No answer, or none that reads: it may have arrived.
    }
    failures += 1;
    const backOff = Math.min(PATIENCE_MS[0] * 2 ** (failures - 1), PATIENCE_MS[1]);
    return retryAfterMs ?? backOff * (0.5 + Math.random() / 2);
  }

  function settle(batch) {
    waiting.splice(0, batch.length);
    copied = Math.max(0, copied - batch.length);
  }

  function batchFrom(start) {
    let bytes = 0;
    let end = start;
    while (end < waiting.length && end - start < MOST_IN_BATCH && (bytes += waiting[end].bytes) <= MOST_BYTES) end += 1;
    return waiting.slice(start, end);
  }

  function leave() {
    clearTimeout(timer);
    timer = null;
    while (copied < waiting.length) {
      const batch = batchFrom(copied);
      copied += batch.length;
      const given = { ...request(batch), keepalive: true };
      if (navigator.sendBeacon?.(address, new Blob([given.body], { type: "text/plain" }))) continue;
      fetch(address, given).catch(() => {}); // it still waits here, should the page come back
    }
  }

  function turned() {
    if (document.visibilityState === "hidden") return leave();
    copied = 0;
    if (waiting.length > 0) later(everyMs);
  }

  function later(ms) {
    if (timer === null && underWay === 0) timer = setTimeout(send, ms);
  }

  function tell(refused) {
    const reasons = new Set(refused.map(({ reason, detail }) => `${reason}: ${detail}`));
    if (refused.length > 0) trouble("refused", refused.length, [...reasons].join("; "));
  }

  function trouble(kind, count, reason) {
    try {
      onTrouble({ kind, count, reason });
    } catch {
      // The shop's own.
    }
    return null;
  }

  addEventListener("pagehide", leave);
  addEventListener("pageshow", turned);
  document.addEventListener("visibilitychange", turned);
  return { track, identify, flush: send, anonymousId: anonymous, waiting: () => waiting.length };
}

/** text/plain: a browser asks no leave for it (CORS), neither by fetch nor by beacon. */
function request(batch) {
  const body = `{"events":[${batch.map(({ text }) => text).join(",")}]}`;
  return { method: "POST", body, headers: { "content-type": "text/plain" }, credentials: "omit" };
}

const seconds = (word) => (/^\d+$/.test(word ?? "") ? Number(word) * 1_000 : null);
const warn = ({ kind, count, reason }) => console.warn(`millstream: ${count} events ${kind}: ${reason}`);

/** crypto.randomUUID wants a secure page; a shop's test page may have none. */
function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function keptId() {
  try {
    const kept = localStorage.getItem(STORED) ?? newId();
    localStorage.setItem(STORED, kept);
    return kept;
  } catch {
    return newId(); // for this page alone
  }
}
