// Requests to the server; a refusal becomes an exception.

import { isNow } from "./format.js";
import { _ } from "./i18n.js";

export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const token = () =>
  document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ??
  document.querySelector("meta[name=csrf-token]").content;

/** Sign in, and come back to where the page is now. */
export function signIn() {
  location.assign(`/login?next=${encodeURIComponent(`/${location.hash}`)}`);
}

const LONG = /\d{16}/;

/** An integer that the browser would round stays as it is written, where it can keep that. */
const exact = (name, value, { source } = {}) =>
  (Number.isSafeInteger(value) || !/^-?\d+$/.test(source ?? "") || !JSON.rawJSON ? value : JSON.rawJSON(source));

const parsed = (text) => JSON.parse(text, LONG.test(text) ? exact : undefined);

/** The response's JSON; throws a Refusal if the server refuses or cannot be reached. */
export async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRFToken"] = token();
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, "unreachable", _("The server cannot be reached."));
  }
  isNow(answer.headers.get("Date"));
  const data = await answer.text().then(parsed).catch(() => null);
  if (answer.ok) return data;
  if (answer.status === 401) signIn();
  const error = data?.error;
  throw new Refusal(
    answer.status,
    error?.code ?? String(answer.status),
    error?.message ?? (typeof error === "string" ? error : _("The server could not do that.")),
  );
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);
export const patch = (path, body) => ask("PATCH", path, body);

/** A path with those parameters that are not empty. */
export function query(path, values) {
  const filled = Object.entries(values).filter(([, value]) => value || value === 0);
  const text = new URLSearchParams(filled).toString();
  return text ? `${path}?${text}` : path;
}
