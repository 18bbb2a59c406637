// Where in the page somebody is: `#/item?item=22423`.
export function placeNow() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { path, asked: new URLSearchParams(query) };
}

export const linkTo = (path, asked = {}) => {
  const query = new URLSearchParams(asked).toString();
  return query ? `#/${path}?${query}` : `#/${path}`;
};
