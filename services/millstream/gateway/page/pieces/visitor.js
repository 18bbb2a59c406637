// The shopper that this tab plays: anonymous, made up here, and what he does as real events.
import { post } from "./api.js";

const PLACE = "millstream.visitor";
const named = () => `page-${crypto.randomUUID().slice(0, 8)}`;

export function visitor() {
  const held = sessionStorage.getItem(PLACE);
  return held ?? anotherVisitor();
}

export function anotherVisitor() {
  const name = named();
  sessionStorage.setItem(PLACE, name);
  return name;
}

// The event is in Kafka when this returns; with a refusal it throws. `from`: the list's id.
export async function tell(name, type, item, from = null) {
  const event = {
    event_id: `page-${crypto.randomUUID()}`,
    type,
    time: new Date().toISOString(),
    anonymous_id: name,
    session_id: name,
    items: [{ item_id: item.item_id, ...(item.price ? { price: item.price } : {}) }],
    context: { page: "mini shop" },
  };
  if (from) event.recommendation_id = from;
  if (type === "purchase") event.transaction_id = event.event_id;
  const told = await post("/v1/events", event);
  const [verdict] = told.verdicts;
  if (verdict.status !== "accepted") throw new Error(`The event was refused: ${verdict.detail}`);
}
