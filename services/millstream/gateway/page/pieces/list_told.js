// How the list beside the shop stands, step by step: {list, before, took_ms, awaited, late, error}.
// `before`: the items of the list before; `took_ms`: from the last deed to its list; `late`: none
// came in time; `error`: of the last time that was asked.
export const PATIENCE_MS = 10_000;

export const awaiting = (told) => ({ ...told, awaited: true, late: false, took_ms: undefined });
export const calmed = (told) => ({ ...told, awaited: false });
export const givenUp = (told) => ({ ...told, awaited: false, late: true });
export const failed = (told, error) => ({ ...told, awaited: false, error });
export const answered = (told) => (told.error ? { ...told, error: undefined } : told);

// `took_ms`: undefined where the list is not the answer to a deed. The same list in another state, as
// stale say, is no answer that was late.
export function shown(told, list, took_ms) {
  const same = list.recommendation_id === told.list?.recommendation_id;
  const before = told.list?.items ?? [];
  if (took_ms !== undefined) return { list, before, took_ms };
  return { list, before, took_ms: told.took_ms, awaited: told.awaited, late: told.late && same };
}

// Whether it came of a deed that was done while `mark` stood.
export const answers = (found, mark) => !found.stale && markOf(found) !== mark;

// A rule of the shop changes a list that stays the same by name.
export const markOf = ({ recommendation_id, items }) => [recommendation_id, ...items.map(({ item_id }) => item_id)].join(" ");

export function saidOf({ list, awaited, late, took_ms }) {
  if (awaited) return "The list is being made anew …";
  if (late) return `No new list has come within ${PATIENCE_MS / 1000} s of your click: this is the one from before it.`;
  if (took_ms !== undefined) return `Made anew ${took_ms} ms after your click.`;
  return list?.explanation?.recent.length ? "By what you did before." : "Popular items, until you have looked at something.";
}
