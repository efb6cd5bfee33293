// Words for people, in their language; Django's catalog (/jsi18n/) brings the translations.

export const _ = (text) => (window.gettext ? window.gettext(text) : text);

export const ngettext = (one, many, count) =>
  window.ngettext ? window.ngettext(one, many, count) : count === 1 ? one : many;

const TURNING = /[\u202a-\u202e\u2066-\u2069]/g; // marks that turn the direction of what follows
const FROM_THE_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A text of others, as a part of a sentence whose order it does not change. */
export function apart(value) {
  const text = String(value).replace(TURNING, "");
  return FROM_THE_RIGHT.test(text) ? `\u2068${text}\u2069` : text;
}

/** A sentence with its %(names)s filled in. */
export const say = (text, values) =>
  text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? apart(values[name]) : whole));

export const language = () => document.documentElement.lang || "en";
