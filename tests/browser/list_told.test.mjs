// What the page says of the list beside the shop, step by step.
import assert from "node:assert/strict";
import { test } from "node:test";

const { answered, answers, awaiting, calmed, failed, givenUp, markOf, saidOf, shown } = await import(process.env.MILLSTREAM_PIECE);

const list = (id, ...items) => ({ recommendation_id: id, items: items.map((item_id) => ({ item_id })), explanation: { recent: [{}] } });
const first = shown({}, list("a", "tea", "pot"));
const second = shown(awaiting(first), list("b", "pot"), 212);

test("a list that comes of a deed says how long it took, and what stood before", () => {
  assert.equal(saidOf(awaiting(first)), "The list is being made anew …");
  assert.equal(saidOf(second), "Made anew 212 ms after your click.");
  assert.deepEqual(second.before.map(({ item_id }) => item_id), ["tea", "pot"]);
});

test("a list that does not come is not said to be made anew", () => {
  const late = givenUp(awaiting(second));
  assert.match(saidOf(late), /^No new list has come within 10 s of your click/);
  assert.equal(late.took_ms, undefined);
  assert.equal(late.list, second.list);
  assert.match(saidOf(shown(late, list("b", "pot"))), /^No new list/);
  assert.equal(saidOf(shown(late, list("c", "cup"))), "By what you did before.");
  assert.equal(saidOf(awaiting(late)), "The list is being made anew …");
});

test("trouble stands beside the old list until an answer comes", () => {
  const trouble = failed(awaiting(second), new Error("away"));
  assert.equal(trouble.list, second.list);
  assert.equal(trouble.error.message, "away");
  assert.equal(saidOf(trouble), "By what you did before.");
  assert.equal(answered(trouble).error, undefined);
  assert.equal(answered(second), second);
});

test("a deed that came to nothing is no longer awaited", () => {
  assert.equal(saidOf(calmed(awaiting(first))), "By what you did before.");
});

test("a list from memory answers no deed, nor does one that stood before it", () => {
  const mark = markOf(list("a", "tea"));
  assert.equal(answers({ ...list("b", "pot"), stale: true }, mark), false);
  assert.equal(answers(list("a", "tea"), mark), false);
  assert.equal(answers(list("b", "tea"), mark), true);
  assert.equal(answers(list("a", "pot"), mark), true);
  assert.match(saidOf({ list: { items: [], stale: true } }), /^Popular items/);
});
