// Titles and prices of items by id, asked for once each; lists hold ids alone.
import { useEffect, useState } from "../vendor/preact.js";
import { ask } from "./api.js";

const held = {};
const known = (ids) => Object.fromEntries(ids.filter((id) => held[id]).map((id) => [id, held[id]]));

export function useTitles(ids) {
  const [told, setTold] = useState(known(ids));
  const wanted = ids.join("\n");
  useEffect(() => {
    let gone = false;
    const missing = ids.filter((id) => !held[id]);
    const asked = new URLSearchParams(missing.map((id) => ["item", id]));
    const found = missing.length ? ask(`/v1/items:named?${asked}`) : Promise.resolve({ items: [] });
    found
      .then(({ items }) => {
        for (const item of items) held[item.item_id] = item;
        if (!gone) setTold(known(ids));
      })
      .catch(() => gone || setTold(known(ids)));
    return () => {
      gone = true;
    };
  }, [wanted]);
  return told;
}
