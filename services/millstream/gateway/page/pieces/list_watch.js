// The shopper's stored list, followed by short polling: one read of Redis a question, it passes any
// proxy, bears the key in its header (an EventSource can't), and holds no connection open per page.
// Every second while nothing happens; after a deed some twenty times a second, until the list that
// answers it is there.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";
import { explainedListOf, listOf } from "./api.js";
import { answered, answers, awaiting, calmed, failed, givenUp, markOf, PATIENCE_MS, shown } from "./list_told.js";

const IDLE_MS = 1000;
const QUICK_MS = 50;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// How it stands (list_told.js), and `expect(since)`: a deed begins, at `since` (performance.now);
// `calm()`: it came to nothing.
export function useList(shopper, n) {
  const [told, setTold] = useState({});
  const now = useRef({ id: null, gone: false });

  // Of a list from memory nothing more is known: Redis is away.
  const show = useCallback(
    async (found, since) => {
      const list = found.stale ? found : await explainedListOf(shopper, n);
      if (now.current.shopper !== shopper) return;
      now.current.id = markOf(found);
      now.current.stale = Boolean(found.stale);
      const took = since === undefined ? undefined : Math.round(performance.now() - since);
      setTold((old) => shown(old, list, took));
    },
    [shopper, n],
  );

  // Of a shopper without a stored list each answer is another popular one, under an id of its own.
  const look = useCallback(async () => {
    const found = await listOf(shopper, n);
    const { id, stale } = now.current;
    if (id === null || Boolean(found.stale) !== stale) return found;
    if (stale || markOf(found) === id) return null;
    const again = await listOf(shopper, n);
    return markOf(again) === markOf(found) ? again : null;
  }, [shopper, n]);

  const expect = useCallback(
    async (since) => {
      const mark = now.current.id;
      now.current.expecting = since;
      const mine = () => now.current.expecting === since;
      setTold(awaiting);
      try {
        while (mine() && performance.now() - since < PATIENCE_MS) {
          const found = await look();
          if (found && answers(found, mark)) return await show(found, since);
          if (found) await show(found);
          await pause(QUICK_MS);
        }
        if (mine()) setTold(givenUp);
      } catch (error) {
        if (mine()) setTold((old) => failed(old, error));
      } finally {
        if (mine()) now.current.expecting = null;
      }
    },
    [look, show],
  );

  const calm = useCallback(() => {
    now.current.expecting = null;
    setTold(calmed);
  }, []);

  useEffect(() => {
    now.current = { id: null, stale: false, shopper, expecting: null };
    setTold({});
    let timer = null;
    const idle = async () => {
      try {
        if (now.current.expecting === null && !document.hidden) {
          const found = await look();
          if (found && now.current.expecting === null) await show(found);
          setTold(answered);
        }
      } catch (error) {
        setTold((old) => failed(old, error));
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
