// The colours of a terminal: a line with escape sequences as pieces with the names of their classes.

const ESCAPES = /\x1b\[([0-9;]*)m|\x1b\[[0-9;:?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g; // eslint-disable-line no-control-regex

const STYLES = { 1: "bold", 2: "dim", 3: "italic", 4: "under" };

function after(codes, style) {
  const now = { ...style };
  const all = codes === "" ? [0] : codes.split(";").map(Number);
  for (let i = 0; i < all.length; i += 1) {
    const code = all[i];
    if (code === 0) Object.keys(now).forEach((key) => delete now[key]);
    else if (STYLES[code]) now[STYLES[code]] = true;
    else if (code === 22) { delete now.bold; delete now.dim; }
    else if (code === 23 || code === 24) delete now[code === 23 ? "italic" : "under"];
    else if (code >= 30 && code <= 37) now.fore = code - 30;
    else if (code >= 90 && code <= 97) now.fore = code - 90 + 8;
    else if (code === 39) delete now.fore;
    else if (code >= 40 && code <= 47) now.back = code - 40;
    else if (code >= 100 && code <= 107) now.back = code - 100;
    else if (code === 49) delete now.back;
    else if (code === 38 || code === 48) i += all[i + 1] === 5 ? 2 : 4; // of 256 or more: not shown
  }
  return now;
}

const names = (style) =>
  Object.entries(style).map(([key, value]) => (value === true ? key : `${key}-${value}`)).join(" ");

/** The pieces of a line: `[text, classes]`; without any escape sequence it is one. */
export function pieces(line) {
  if (!line.includes("\x1b")) return [[line, ""]];
  const found = [];
  let style = {};
  let from = 0;
  for (const escape of line.matchAll(ESCAPES)) {
    if (escape.index > from) found.push([line.slice(from, escape.index), names(style)]);
    if (escape[1] !== undefined) style = after(escape[1], style);
    from = escape.index + escape[0].length;
  }
  if (from < line.length) found.push([line.slice(from), names(style)]);
  return found;
}

export const plain = (line) => (line.includes("\x1b") ? line.replace(ESCAPES, "") : line);
