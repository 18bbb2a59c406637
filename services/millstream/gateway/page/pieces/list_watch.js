// The shopper's stored list, followed by short polling: one read of Redis a question, it passes any
// proxy, bears the key in its header (an EventSource can't), and holds no connection open per page.
// Every second while nothing happens; after a deed some twenty times a second, until the list that
// answers it is there.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { explainedListOf, listOf } from "./api.js";

const IDLE_MS = 1000;
const QUICK_MS = 50;
const PATIENCE_MS = 10_000;

// A rule of the shop changes a list that stays the same by name.
const markOf = ({ recommendation_id, items }) => [recommendation_id, ...items.map(({ item_id }) => item_id)].join(" ");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// {list, before, took_ms, error, awaited, expect}: `before`: the items of the list before; `took_ms`:
// from the last deed to its list. `expect(since)`: a deed begins, at `since` (performance.now);
// `calm()`: it came to nothing.
export function useList(shopper, n) {
  const [told, setTold] = useState({});
  const now = useRef({ id: null, gone: false });

  const show = useCallback(
    async (found, since) => {
      const list = await explainedListOf(shopper, n);
      if (now.current.shopper !== shopper) return;
      now.current.id = markOf(found);
      const took = since === undefined ? undefined : Math.round(performance.now() - since);
      setTold(({ list: old, took_ms }) => ({
        list,
        before: old?.items ?? [],
        took_ms: took ?? took_ms,
      }));
    },
    [shopper, n],
  );

  // Of a shopper without a stored list each answer is another popular one, under an id of its own.
  const look = useCallback(async () => {
    const found = await listOf(shopper, n);
    if (markOf(found) === now.current.id) return null;
    if (now.current.id === null) return found;
    const again = await listOf(shopper, n);
    return markOf(again) === markOf(found) ? again : null;
  }, [shopper, n]);

  const expect = useCallback(
    async (since) => {
      now.current.expecting = since;
      setTold((old) => ({ ...old, awaited: true }));
      try {
        while (now.current.expecting === since && performance.now() - since < PATIENCE_MS) {
          const found = await look();
          if (found) return await show(found, since);
          await pause(QUICK_MS);
        }
        setTold((old) => ({ ...old, awaited: false }));
      } catch (error) {
        setTold((old) => ({ ...old, awaited: false, error }));
      } finally {
        if (now.current.expecting === since) now.current.expecting = null;
      }
    },
    [look, show],
  );

  const calm = useCallback(() => {
    now.current.expecting = null;
  }, []);

  useEffect(() => {
    now.current = { id: null, shopper, expecting: null };
    setTold({});
    let timer = null;
    const idle = async () => {
      try {
        const found = now.current.expecting === null && !document.hidden ? await look() : null;
        if (found) await show(found);
      } catch (error) {
        setTold((old) => ({ ...old, error }));
      }
      if (now.current.shopper === shopper) timer = setTimeout(idle, IDLE_MS);
    };
    idle();
    return () => {
      now.current.shopper = null;
      clearTimeout(timer);
    };
  }, [shopper, look, show]);

  return { ...told, expect, calm };
}
