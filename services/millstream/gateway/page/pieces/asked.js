// What was asked of the gateway, and how the asking stands.
import { useCallback, useEffect, useRef, useState } from "../vendor/preact.js";

// {value, error, again}: neither value nor error while the first answer is awaited. With `every_ms`
// it is asked again after that, but not while the tab is hidden; a value stays beside a later error.
export function useAsked(asking, given, every_ms = null) {
  const [told, setTold] = useState({});
  const [turn, setTurn] = useState(0);
  const newest = useRef(asking);
  newest.current = asking;
  useEffect(() => {
    let gone = false;
    let timer = null;
    const once = async () => {
      if (!(every_ms && document.hidden)) {
        try {
          const value = await newest.current();
          if (!gone) setTold({ value });
        } catch (error) {
          if (!gone) setTold(({ value }) => ({ value, error }));
        }
      }
      if (!gone && every_ms) timer = setTimeout(once, every_ms);
    };
    setTold(({ value }) => (turn ? { value } : {}));
    once();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [...given, turn]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  return { ...told, again };
}

// Something that a person does: {run, busy, error, done}; one at a time.
export function useDeed(deed) {
  const [state, setState] = useState({});
  const newest = useRef(deed);
  newest.current = deed;
  const run = useCallback(async (...given) => {
    setState({ busy: true });
    try {
      setState({ done: await newest.current(...given) });
    } catch (error) {
      setState({ error });
    }
  }, []);
  return { ...state, run };
}
