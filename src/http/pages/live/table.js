// The rows that can be seen. There are as many as fit, and they are used again: with 5,000 calls the page has 40 rows.
import { element } from "../shell/shell.js";
import { age, clock, makeBar, stateWords, words } from "../shell/words.js";
import { isBad } from "./order.js";

/** @typedef {import("./order.js").Row} Row */

/** The height of a row in pixels; `live.css` has the same. */
export const ROW = 29;

/**
 * One row of the table, which shows one call after the other.
 * @typedef {object} Slot
 * @property {HTMLTableRowElement} row
 * @property {(text: string[]) => void} write
 * @property {HTMLElement} state
 * @property {HTMLAnchorElement} link
 * @property {{whole: SVGElement, done: SVGElement}} bar
 * @property {HTMLElement} left
 * @property {string} key
 */

/** @returns {Slot} */
export function makeSlot() {
  const row = /** @type {HTMLTableRowElement} */ (element("tr", {}));
  const cells = Array.from({ length: 9 }, () => element("td", {}));
  row.append(...cells);
  const [mark, stateCell, ageCell, dueCell, callerCell, line, route, voice, last] =
    /** @type {[HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement,
      HTMLElement]} */ (cells);
  mark.className = "mark";
  ageCell.className = "number";
  const state = element("span", { class: "state" });
  stateCell.append(state);
  const link = /** @type {HTMLAnchorElement} */ (element("a", {}));
  callerCell.append(link);
  const bar = makeBar();
  const left = element("span", {});
  dueCell.append(element("span", { class: "deadline" }));
  dueCell.firstElementChild?.append(bar.whole, " ", left);
  const texts = [mark, state, ageCell, link, line, route, voice, last];
  return {
    row, state, link, bar, left, key: "",
    write(text) {
      texts.forEach((where, index) => {
        const shown = text[index] ?? "";
        if (where.textContent !== shown) where.textContent = shown;
      });
      for (const where of [voice, last]) {
        const shown = where.textContent ?? "";
        if (where.title !== shown) where.title = shown;
      }
    },
  };
}

/**
 * @param {Row} row
 * @param {number} now
 */
function voiceWords({ call, isOver }, now) {
  const clone = call.clone;
  if (!isOver && call.voice === "awaited" && clone && clone.asked_at) {
    const asked = Date.parse(clone.asked_at);
    const waited = Math.floor((now - asked) / 1000);
    const allowed = clone.until ? ` of ${Math.floor((Date.parse(clone.until) - asked) / 1000)}` : "";
    return `${words(clone.stage)} ${Math.max(0, waited)} s${allowed}`;
  }
  return call.voice_missing ? `${words(call.voice)}: ${words(call.voice_missing)}` : words(call.voice);
}

/**
 * Shows a call in a slot.
 * @param {Slot} slot
 * @param {Row} row
 * @param {number} now the server's time in milliseconds
 * @param {boolean} isChosen
 */
export function fill(slot, row, now, isChosen) {
  const { call, isOver } = row;
  const state = isOver ? (call.failed ? "failed" : "released") : call.state ?? "";
  const bad = isBad(row);
  const end = call.failed ? "failed" : "ended";
  const stateText = isOver ? `${end} ${age((now - row.ended) / 1000)} ago` : stateWords(state);
  slot.write([
    bad ? "!" : "", stateText, clock(((isOver ? row.ended : now) - row.began) / 1000), call.caller,
    call.pbx === "default" ? call.line : `${call.line} \u{b7} ${call.pbx}`, call.route, voiceWords(row, now),
    (isOver ? call.sentence : call.problem ?? (call.last_event ? words(call.last_event) : "")) ?? "",
  ]);
  const left = isOver ? Number.NaN : row.due - now;
  const hasBar = Number.isFinite(left);
  slot.bar.whole.classList.toggle("none", !hasBar);
  const whole = Math.max(1, row.due - row.since);
  const part = hasBar ? (100 * (1 - Math.min(1, Math.max(0, left / whole)))).toFixed(0) : "0";
  if (slot.bar.done.getAttribute("width") !== part) slot.bar.done.setAttribute("width", part);
  const leftText = hasBar ? age(Math.max(0, left) / 1000) : "";
  if (slot.left.textContent !== leftText) slot.left.textContent = leftText;
  const key = `${call.id} ${state} ${bad} ${isChosen}`;
  if (slot.key === key) return;
  slot.key = key;
  slot.row.className = [isOver ? "over" : "", bad ? "is-bad" : "", isChosen ? "chosen" : ""].join(" ").trim();
  slot.row.dataset.id = call.id;
  slot.row.dataset.href = `/calls/${encodeURIComponent(call.id)}`;
  slot.row.dataset.state = state;
  slot.row.firstElementChild?.setAttribute("title", bad ? "This call has a problem." : "");
  slot.link.href = slot.row.dataset.href;
  slot.state.className = `state s-${state}`;
}
