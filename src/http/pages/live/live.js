// The live board: keeps the page up to date from the live stream, and says when it cannot.
import { api, byId, element } from "../shell/shell.js";
import { age } from "../shell/words.js";
import { showCounters, showHealth } from "./health.js";
import { inOrder, isBad, isWanted, rowOf } from "./order.js";
import { ROW, fill, makeSlot } from "./table.js";

/** @typedef {import("./order.js").Row} Row */
/** @typedef {import("./order.js").Call} Call */

/** The stream says something at least every two seconds. */
const STALE_AFTER = 5000;

const board = byId("board");
const body = byId("rows");
const stale = byId("stale");
const fresh = byId("fresh");

/** @type {Map<string, Row>} */
const all = new Map();
/**
 * The rows that are wanted, in order.
 * @type {Row[]}
 */
let rows = [];
/**
 * New calls that wait for a click, while somebody looks at a place of the list.
 * @type {Set<string>}
 */
let waiting = new Set();
/** @type {string | null} */
let chosen = null;
/** @type {import("./table.js").Slot[]} */
let slots = [];
let mustSort = true;
let isDrawing = false;
/** By how much the server's clock is ahead of ours. */
let ahead = 0;
let heard = performance.now();
let isStale = false;
/** The server's time when the stream fell silent. */
let stoppedAt = 0;

const before = element("tr", { class: "spacer", "aria-hidden": "true" }, element("td", { colspan: "9" }));
const behind = element("tr", { class: "spacer", "aria-hidden": "true" }, element("td", { colspan: "9" }));

function now() {
  return isStale ? stoppedAt : Date.now() + ahead;
}

/** What is asked for: filter and order. */
let current = wish();

/** @returns {import("./order.js").Wish} */
function wish() {
  const value = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id)).value;
  return { text: value("filter").trim().toLowerCase(), state: value("state-filter"), order: value("order") };
}

/** Whether new rows must not move the others: somebody has scrolled, or has chosen a row. */
function mustKeepPlaces() {
  return current.order !== "problems" && (board.scrollTop > 0 || chosen !== null || board.matches(":hover"));
}

function sort() {
  const wanted = Array.from(all.values()).filter((row) => !waiting.has(row.call.id) && isWanted(row, current));
  rows = inOrder(wanted, current.order);
  mustSort = false;
}

function draw() {
  isDrawing = false;
  if (mustSort) sort();
  const height = board.clientHeight || 600;
  const head = body.offsetTop;
  const first = Math.max(0, Math.floor((board.scrollTop - head) / ROW) - 5);
  const count = Math.min(rows.length - first, Math.ceil(height / ROW) + 10);
  while (slots.length < count) slots.push(makeSlot());
  const shown = slots.slice(0, Math.max(0, count));
  if (body.childElementCount !== shown.length + 2 || body.firstElementChild !== before) {
    body.replaceChildren(before, ...shown.map((slot) => slot.row), behind);
  }
  spaced(before, first);
  spaced(behind, rows.length - first - shown.length);
  const at = now();
  shown.forEach((slot, index) => {
    const row = rows[first + index];
    if (row) fill(slot, row, at, row.call.id === chosen);
  });
  byId("none").hidden = all.size > 0;
  const left = all.size - waiting.size - rows.length;
  byId("shown").textContent = left > 0 ? `${rows.length} of ${rows.length + left} calls` : "";
  fresh.hidden = waiting.size === 0;
  if (waiting.size > 0) fresh.textContent = `${waiting.size} new`;
}

/**
 * @param {HTMLElement} spacer
 * @param {number} count
 */
function spaced(spacer, count) {
  const cell = /** @type {HTMLElement} */ (spacer.firstElementChild);
  const height = `${count * ROW}px`;
  if (cell.style.height !== height) cell.style.height = height;
  spacer.hidden = count <= 0;
}

function redraw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(draw);
}

/**
 * @param {Call} call
 * @param {boolean} isOver
 */
function put(call, isOver) {
  const row = rowOf(call, isOver);
  const known = all.get(call.id);
  if (!known) {
    all.set(call.id, row);
    if (!isOver && mustKeepPlaces()) waiting.add(call.id);
    mustSort = true;
    return;
  }
  const { order, state, text } = current;
  if (known.isOver !== isOver || (order === "problems" && isBad(known) !== isBad(row))
      || (order === "deadline" && known.due !== row.due) || (state !== "" && known.call.state !== call.state)
      || (text !== "" && known.sought !== row.sought)) {
    mustSort = true;
  }
  Object.assign(known, row);
}

/** @param {any} data */
function snapshot(data) {
  const seen = new Set(all.keys());
  all.clear();
  for (const call of data.calls) put(call, false);
  for (const call of data.ended) put(call, true);
  if (seen.size === 0) waiting.clear();
  waiting = new Set([...waiting].filter((id) => all.has(id) && !seen.has(id)));
  mustSort = true;
  showHealth(data.health);
  showCounters(data.counters);
}

/** @param {any} data */
function change(data) {
  for (const call of data.changed) put(call, false);
  for (const call of data.ended) {
    waiting.delete(call.id);
    put(call, true);
  }
  for (const id of data.gone) {
    all.delete(id);
    waiting.delete(id);
    mustSort = true;
  }
  showCounters(data.counters);
}

/** @type {Record<string, (data: any) => void>} */
const events = {
  snapshot, change, health: (data) => showHealth(data.health), beat: () => undefined, reset: () => undefined,
};

function follow() {
  const stream = new EventSource("/api/v1/live/stream");
  for (const [name, take] of Object.entries(events)) {
    stream.addEventListener(name, (event) => {
      const data = JSON.parse(/** @type {MessageEvent} */ (event).data);
      if (data.at) ahead = Date.parse(data.at) - Date.now();
      heard = performance.now();
      take(data);
      showStale();
      redraw();
    });
  }
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return;
    // It was refused: without a session this leads to the sign-in page.
    setTimeout(() => {
      api("GET", "/api/v1/live").catch(() => undefined).finally(follow);
    }, 2000);
  };
}

/** Says that the page is stale: ages stop, lights turn grey. */
function showStale() {
  const silent = performance.now() - heard;
  const was = isStale;
  isStale = silent > STALE_AFTER;
  if (isStale && !was) stoppedAt = Date.now() + ahead - silent;
  document.body.classList.toggle("is-stale", isStale);
  stale.hidden = !isStale;
  if (isStale) stale.textContent = `Stale: nothing came from precall for ${age(silent / 1000)}. Ages have stopped.`;
}

/** @param {number} step */
function choose(step) {
  const place = rows.findIndex((row) => row.call.id === chosen);
  const next = rows[Math.min(Math.max(place + step, 0), rows.length - 1)];
  if (!next) return;
  chosen = next.call.id;
  const top = body.offsetTop + rows.indexOf(next) * ROW;
  if (top - ROW < board.scrollTop) board.scrollTop = top - 2 * ROW;
  if (top + 2 * ROW > board.scrollTop + board.clientHeight) board.scrollTop = top + 2 * ROW - board.clientHeight;
  const { caller, state, problem } = next.call;
  byId("announce").textContent = `${caller}, ${state ?? "ended"}, ${problem ?? "no problem"}`;
  redraw();
}

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (!(target instanceof Element) || target.closest("input, select, textarea, dialog")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") choose(1);
  else if (event.key === "k") choose(-1);
  else if (event.key === "Escape") {
    chosen = null;
    redraw();
  } else if (event.key === "Enter" && chosen && !target.closest("a, button, summary")) {
    location.assign(`/calls/${encodeURIComponent(chosen)}`);
  } else return;
  event.preventDefault();
}, true);

/** The filter stays in the address: the page can be loaded again, and the address be sent to a colleague. */
function remember() {
  current = wish();
  const wanted = current;
  const query = new URLSearchParams();
  if (wanted.text !== "") query.set("filter", wanted.text);
  if (wanted.state !== "") query.set("state", wanted.state);
  if (wanted.order !== "new") query.set("order", wanted.order);
  history.replaceState(null, "", query.toString() !== "" ? `?${query}` : location.pathname);
  mustSort = true;
  redraw();
}

function start() {
  const query = new URLSearchParams(location.search);
  for (const [id, name] of [["filter", "filter"], ["state-filter", "state"], ["order", "order"]]) {
    const given = query.get(name ?? "");
    const field = /** @type {HTMLInputElement} */ (byId(id ?? ""));
    if (given !== null) field.value = given;
    field.addEventListener("input", remember);
  }
  current = wish();
  byId("tools").hidden = false;
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  // j and k are ours: most rows are not in the page.
  board.removeAttribute("data-rows");
  board.addEventListener("scroll", redraw, { passive: true });
  addEventListener("resize", redraw);
  fresh.addEventListener("click", () => {
    waiting.clear();
    board.scrollTop = 0;
    mustSort = true;
    redraw();
  });
  setInterval(() => {
    showStale();
    redraw();
  }, 1000);
  follow();
}

start();
