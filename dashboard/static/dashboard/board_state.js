// The board of one channel: its chains, and its tasks without chain in three columns.

export const COLUMNS = ["queued", "in_progress", "done"];
const OPEN = new Set(["queued", "in_progress", "locked"]);
const MOST_ENDED = 50;
const FEWEST_SHOWN = 25;

const column = () => ({ tasks: new Map(), count: 0, more: false, next: null });

export const empty = (id = null) => ({
  id, channel: null, loaded: false, uncertain: false, chains: new Map(), next: null,
  columns: Object.fromEntries(COLUMNS.map((name) => [name, column()])),
  opened: new Map(), // chain id -> {tasks: Map, next}
});

const byId = (rows) => new Map(rows.map((row) => [row.id, row]));

export function fill(board, data) {
  if (data.channel && data.channel.id !== board.id) return;
  board.channel = data.channel ?? null;
  board.loaded = true;
  board.uncertain = false;
  board.chains = byId(data.chains);
  board.next = data.next ?? null;
  for (const name of COLUMNS) {
    const { tasks, count, more, next } = data.columns[name];
    board.columns[name] = { tasks: byId(tasks), count, more, next: next ?? null };
  }
}

export function addChains(board, data) {
  for (const row of data.chains) board.chains.set(row.id, row);
  board.next = data.next ?? null;
}

export function addTasks(board, name, data) {
  for (const row of data.tasks) board.columns[name].tasks.set(row.id, row);
  board.columns[name].next = data.next ?? null;
}

export function fillChain(board, id, data, after) {
  const tasks = after ? board.opened.get(id)?.tasks ?? new Map() : new Map();
  for (const row of data.tasks) tasks.set(row.id, row);
  board.opened.set(id, { tasks, next: data.next ?? null });
}

export const columnOf = (status) =>
  status === "queued" ? "queued" : status === "in_progress" || status === "locked"
    ? "in_progress" : "done";

/** Put a task where it is now; `uncertain` where this alone does not give a count. */
export function patchTask(board, task) {
  for (const { tasks } of board.opened.values()) {
    if (tasks.has(task.id)) {
      if (task.deleted) tasks.delete(task.id);
      else tasks.set(task.id, task);
    }
  }
  if (task.deleted) return remove(board, task.id);
  if (task.channel_id !== board.id || !board.loaded) return undefined;
  if (task.chain_id) {
    const opened = board.opened.get(task.chain_id);
    if (opened && opened.next === null) opened.tasks.set(task.id, task);
    return undefined;
  }
  return place(board, task);
}

function place(board, task) {
  const goal = columnOf(task.status);
  if (board.columns[goal].tasks.has(task.id)) {
    board.columns[goal].tasks.set(task.id, task);
    return;
  }
  const known = remove(board, task.id);
  const { tasks } = board.columns[goal];
  board.columns[goal].count += 1;
  if (goal !== "queued" || board.columns[goal].next === null) tasks.set(task.id, task);
  // It came from a part of a column that is not shown here.
  if (!known && task.status !== "queued") board.uncertain = true;
  if (goal === "done") trim(board.columns.done);
}

function remove(board, id) {
  for (const name of COLUMNS) {
    if (board.columns[name].tasks.delete(id)) {
      board.columns[name].count = Math.max(0, board.columns[name].count - 1);
      // What is shown is worked off while more waits behind it.
      const { tasks, next } = board.columns[name];
      if (next !== null && tasks.size < FEWEST_SHOWN) board.uncertain = true;
      return true;
    }
  }
  return false;
}

/** A page left open for days keeps the latest that ended, not all. */
function trim(ended) {
  if (ended.tasks.size <= MOST_ENDED * 4) return;
  const kept = sorted("done", ended.tasks).slice(0, MOST_ENDED);
  ended.tasks = byId(kept);
  ended.more = true;
  ended.next = null;
}

export function patchChain(board, chain) {
  if (chain.deleted) {
    board.chains.delete(chain.id);
    board.opened.delete(chain.id);
  } else if (chain.channel_id === board.id && board.loaded) {
    board.chains.set(chain.id, chain);
  }
}

const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

const orders = {
  queued: (a, b) => (b.priority ?? 0) - (a.priority ?? 0) || before(a.created_at, b.created_at),
  in_progress: (a, b) => before(a.claimed_at ?? "", b.claimed_at ?? ""),
  done: (a, b) => before(b.finished_at ?? b.updated_at, a.finished_at ?? a.updated_at),
};

export const sorted = (name, tasks) =>
  [...tasks.values()].sort((a, b) => orders[name](a, b) || before(a.id, b.id));

export const inOrder = (tasks) =>
  [...tasks.values()].sort((a, b) => a.sequence - b.sequence || before(a.id, b.id));

/** Open chains first, the oldest at the top; then those that ended, the newest at the top. */
export const sortedChains = (chains) => {
  const all = [...chains.values()];
  const open = all.filter((row) => OPEN.has(row.status));
  const ended = all.filter((row) => !OPEN.has(row.status));
  return [
    ...open.sort((a, b) => before(a.created_at, b.created_at) || before(a.id, b.id)),
    ...ended.sort((a, b) => before(b.created_at, a.created_at) || before(b.id, a.id)),
  ];
};
