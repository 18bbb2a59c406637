// How things are said.
import { html } from "../vendor/preact.js";
import { linkTo } from "./place.js";

export const SOURCES = {
  repeat: "seen before",
  covisited: "taken together",
  embedding: "taste model",
  popular: "popular",
  new: "new",
  rule: "by a rule",
  explore: "tried out",
};

export const RULES = {
  one_entry: "Once only: it stands further up already",
  hidden: "Hidden in the catalogue",
  ruled_out: "Hidden by a rule of the shop",
  out_of_stock: "Out of stock",
  running_out: "Its stock will not last",
  bought_once: "Bought already, and nobody buys it twice",
  popular_places: "No more best sellers in this list",
  repeats: "No more items that the shopper already knows",
  per_category: "No more of its category",
};

export const DEEDS = {
  view_item: "viewed",
  view_item_list: "was shown",
  select_item: "clicked",
  add_to_cart: "into the cart",
  remove_from_cart: "out of the cart",
  add_to_wishlist: "wished for",
  begin_checkout: "at the checkout",
  purchase: "bought",
  refund: "gave back",
  search: "searched",
};

export const count = (n) => (n ?? 0).toLocaleString("en");
export const price = (p) => (p === undefined || p === null ? "" : p.toFixed(2));
export const clock = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

export const Source = ({ of }) => html`<span class="source ${of}">${SOURCES[of] ?? of}</span>`;

// A source's name says less than the reason does where the reason says it too.
const SAYS_IT = new Set(["repeat", "popular", "new", "rule", "explore"]);
export const Why = ({ of, reason }) =>
  SAYS_IT.has(of) ? html`<span class="source plain ${of}">${reason}</span>` : html`<${Source} of=${of} /> ${reason}`;

export function Stock({ item }) {
  if (!item.in_catalogue && item.in_catalogue !== undefined) return html`<span class="badge warn">not in the catalogue</span>`;
  if (item.hidden) return html`<span class="badge warn">hidden</span>`;
  if (item.in_stock === false) return html`<span class="badge warn">out of stock</span>`;
  return html`<span class="badge good">in stock</span>`;
}

export const ItemLink = ({ item }) =>
  html`<a href=${linkTo("item", { item: item.item_id })}>${item.title}</a>`;
