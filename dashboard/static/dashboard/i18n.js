// Words for people, in their language; Django's catalog (/jsi18n/) brings the translations.

export const _ = (text) => (window.gettext ? window.gettext(text) : text);

export const ngettext = (one, many, count) =>
  window.ngettext ? window.ngettext(one, many, count) : count === 1 ? one : many;

/** A sentence with its %(names)s filled in. */
export const say = (text, values) =>
  text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));

export const language = () => document.documentElement.lang || "en";
