// Where the page is, as its address says after "#": `#/tasks/<id>?status=failed&sort=-created`.
//
// An address is all that is needed to show the same again: after a reload, by back and forward, and
// in the browser of somebody else.

import { useEffect, useState } from "./preact.js";

/** The present place: its path, up to two parts behind it, and the values of its query. */
export function place(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", id, more] = path.split("/").map(decoded);
  return { path: name, id, more, values: Object.fromEntries(new URLSearchParams(query)) };
}

/** A part of an address as it was before it was encoded; one that cannot have been is itself. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a place; empty parts and values are left out. */
export function href(path, parts = [], values = {}) {
  const filled = Object.entries(values).filter(([, value]) => value || value === 0);
  const query = new URLSearchParams(filled).toString();
  const way = [path, ...[].concat(parts).filter((part) => part !== undefined && part !== "")];
  return `#/${way.map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

/** Go to a place; `replace`: back does not lead to the present one again. */
export function go(address, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", address);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = address;
  }
}

/** The present place, painted again whenever it changes. */
export function usePlace() {
  const [here, setHere] = useState(place);
  useEffect(() => {
    const changed = () => setHere(place());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return here;
}

/** What a list shows, kept in the address: its values with the usual ones where it has none, and a
function that changes some. What is as usual is not written; while somebody types, `replace`. */
export function useValues(usual) {
  const { path, id, more, values } = usePlace();
  const known = Object.fromEntries(Object.keys(usual).map((name) => [name, values[name] ?? usual[name]]));
  const change = (some, options) => {
    const wanted = { ...place().values, ...known, ...some };
    for (const name of Object.keys(wanted)) if (wanted[name] === usual[name]) delete wanted[name];
    go(href(path, [id, more], wanted), options);
  };
  return [known, change];
}
