// The API key: of this tab alone, gone when it closes; never in an address that is sent anywhere.
const PLACE = "millstream.key";

export const heldKey = () => sessionStorage.getItem(PLACE);
export const holdKey = (key) => sessionStorage.setItem(PLACE, key);
export const forgetKey = () => sessionStorage.removeItem(PLACE);

// A key handed over as `#key=…` is taken, and out of the address and the history at once.
export function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given === null) return false;
  holdKey(given);
  history.replaceState(null, "", `${location.pathname}#/shop`);
  return true;
}
