// The page's state: read once, then patched by the server's messages.

import { get, query } from "./api.js";
import { now } from "./format.js";
import { Live } from "./live.js";
import * as board from "./board_state.js";

const MOST_EVENTS = 300;
const READ_AGAIN_AFTER = 2_000;

export const state = {
  ready: false, failure: null, connection: "reconnecting", brokenAt: null,
  counters: null, me: { operate: false, administer: false }, verbs: {},
  channels: new Map(), agents: new Map(), jobs: new Map(), events: [], notifications: [], attention: [],
  board: board.empty(), touched: new Map(), now: Date.now(),
  renewed: 0, // grows when so much has changed that no row tells what
  open: null, // the thing whose page is open: {kind, row, title}
};

const listeners = new Set();
let painting = false;

export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the server tells what happens. */
export const isHeard = () => ["live", "stream", "polling"].includes(state.connection);

const hearers = new Set();

/** Hear every message, before it is painted; lists of their own take from it what is theirs. */
export function hear(hearer) {
  hearers.add(hearer);
  return () => hearers.delete(hearer);
}

/** Paint once a frame, however much has changed. */
export function changed() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    for (const listener of listeners) listener();
  });
}

const live = new Live({
  heard: apply,
  changed(connection, brokenAt) {
    Object.assign(state, { connection, brokenAt });
    changed();
  },
  lost: () => open(),
});

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

async function readOverview() {
  const data = await get("/console/overview");
  Object.assign(state, {
    ready: true, failure: null, counters: data.counters, me: data.me,
    channels: byId(data.channels), agents: byId(data.agents), jobs: byId(data.jobs),
    now: now(), events: data.events, notifications: data.notifications ?? [],
    attention: data.attention ?? [],
  });
  changed();
  return data.cursor;
}

const KINDS = ["tasks", "chains", "agents", "jobs", "channels", "events"];

/** Read everything and listen from there; while the server is away, try again. */
export async function open() {
  try {
    const cursor = await readOverview();
    live.start(cursor);
    state.renewed += 1;
    // No message has what happened since the old cursor.
    for (const hearer of hearers) hearer({ stale: KINDS });
    if (state.board.id) await readBoard(state.board.id).catch(() => {}); // its channel may be gone
    state.verbs = await get("/console/verbs");
    changed();
  } catch (refusal) {
    state.failure = refusal;
    changed();
    if (refusal.status === 0 || refusal.status >= 500) setTimeout(open, 3_000);
  }
}

export async function readBoard(channel) {
  const data = await get(query("/console/board", { channel }));
  board.fill(state.board, data);
  await Promise.all([...state.board.opened.keys()].map((id) => readChain(id)));
  changed();
}

/** The page of this thing is open, or of none: commands are offered for it. */
export function setOpen(thing) {
  state.open = thing;
  changed();
}

/** Show a channel's board; of several requests the last one wins. */
export async function showBoard(channel) {
  if (state.board.id === channel && state.board.loaded) return;
  state.board = board.empty(channel);
  changed();
  await readBoard(channel);
}

export async function moreChains() {
  const { id, next } = state.board;
  board.addChains(state.board, await get(query("/console/board", { channel: id, after: next })));
  changed();
}

export async function moreOf(column) {
  const { id, columns } = state.board;
  const after = columns[column].next;
  const data = await get(query("/console/tasks", { channel: id, column, after }));
  board.addTasks(state.board, column, data);
  changed();
}

export async function readChain(id, after) {
  const data = await get(query(`/console/chains/${id}/tasks`, { after }));
  board.fillChain(state.board, id, data, after);
  changed();
}

export function closeChain(id) {
  state.board.opened.delete(id);
  changed();
}

export async function readNotifications() {
  state.notifications = (await get("/v1/notifications")).notifications;
  changed();
}

const due = new Map();

/** Read a kind again soon, and not again while that is already due. */
function again(kind, action) {
  if (due.has(kind)) return;
  due.set(kind, setTimeout(() => {
    due.delete(kind);
    action().catch(() => {}); // the connection's state shows that the server is away
  }, READ_AGAIN_AFTER));
}

function patch(map, rows) {
  for (const row of rows) {
    if (row.deleted) map.delete(row.id);
    else map.set(row.id, row);
  }
}

function touch(id) {
  state.touched.set(id, (state.touched.get(id) ?? 0) + 1);
  if (state.touched.size > 5_000) state.touched.clear();
}

function apply(message) {
  for (const kind of ["channels", "agents", "jobs"]) {
    patch(state[kind], message[kind] ?? []);
    for (const row of message[kind] ?? []) touch(row.id);
  }
  if (message.counters) state.counters = message.counters;
  if (message.attention) state.attention = message.attention;
  for (const task of message.tasks ?? []) {
    touch(task.id);
    if (task.chain_id) touch(task.chain_id);
    board.patchTask(state.board, task);
  }
  for (const chain of message.chains ?? []) {
    touch(chain.id);
    board.patchChain(state.board, chain);
  }
  for (const hearer of hearers) hearer(message);
  addEvents(message.events ?? []);
  if (message.notifications) again("notifications", readNotifications);
  const stale = new Set(message.stale ?? []);
  if (stale.size) state.renewed += 1;
  const ofBoard = stale.has("tasks") || stale.has("chains") || state.board.uncertain;
  if (ofBoard && state.board.id) again("board", () => readBoard(state.board.id));
  if (["agents", "jobs", "events", "channels"].some((kind) => stale.has(kind))) {
    again("overview", readOverview);
  }
  changed();
}

function addEvents(rows) {
  if (!rows.length) return;
  const known = new Set(state.events.map((row) => row.id));
  const fresh = rows.filter((row) => !known.has(row.id)).reverse();
  state.events = [...fresh, ...state.events].slice(0, MOST_EVENTS);
}

// Ages grow while nothing happens.
setInterval(() => {
  state.now = now();
  changed();
}, 5_000);
