// Which calls the live board shows, and in which order.

/**
 * A call as the stream shows it, live or ended.
 * @typedef {object} Call
 * @property {string} id
 * @property {string | null} threecx_call_id
 * @property {string} pbx
 * @property {string} caller
 * @property {string | null} called_number
 * @property {string} line
 * @property {string} route
 * @property {string} [state]
 * @property {string | null} [state_since]
 * @property {string} voice
 * @property {string | null} voice_missing
 * @property {boolean} [awaits_voice]
 * @property {{stage: string, since: string | null, asked_at: string | null, until: string | null} | null} [clone]
 * @property {string | null} offered_at
 * @property {string | null} [deadline_at]
 * @property {number} handoff_attempts
 * @property {string | null} [problem]
 * @property {string | null} [last_event]
 * @property {string | null} conversation_id
 * @property {string | null} [ended_at]
 * @property {boolean} [failed]
 * @property {string} [sentence]
 */

/** @typedef {{text: string, state: string, order: string}} Wish */

/**
 * A row: a call with what is computed once for it.
 * @typedef {object} Row
 * @property {Call} call
 * @property {boolean} isOver
 * @property {number} began
 * @property {number} since
 * @property {number} due
 * @property {number} ended
 * @property {string} sought
 */

/** @param {string | null | undefined} text */
function moment(text) {
  return text ? Date.parse(text) : Number.NaN;
}

/**
 * @param {Call} call
 * @param {boolean} isOver
 * @returns {Row}
 */
export function rowOf(call, isOver) {
  const sought = [call.caller, call.called_number, call.line, call.pbx, call.threecx_call_id, call.conversation_id,
    call.id].join(" ").toLowerCase();
  return {
    call, isOver, sought, began: moment(call.offered_at), since: moment(call.state_since),
    due: moment(call.deadline_at), ended: moment(call.ended_at),
  };
}

/** @param {Row} row */
export function isBad(row) {
  return row.isOver ? row.call.failed === true : Boolean(row.call.problem);
}

/**
 * @param {Row} row
 * @param {Wish} wish
 */
export function isWanted(row, wish) {
  if (wish.state !== "" && (row.isOver ? "released" : row.call.state) !== wish.state) return false;
  return wish.text === "" || row.sought.includes(wish.text);
}

/**
 * Numbers first, smaller ones before larger ones; unknown ones last.
 * @param {number} one
 * @param {number} other
 */
function byNumber(one, other) {
  if (Number.isNaN(one)) return Number.isNaN(other) ? 0 : 1;
  return Number.isNaN(other) ? -1 : one - other;
}

/**
 * The rows in the order that is asked for. Live calls come before ended ones, but not among problems.
 * @param {Row[]} rows
 * @param {string} order
 */
export function inOrder(rows, order) {
  const newest = (/** @type {Row} */ one, /** @type {Row} */ other) =>
    other.began - one.began || (one.call.id < other.call.id ? 1 : -1);
  const over = (/** @type {Row} */ one, /** @type {Row} */ other) => Number(one.isOver) - Number(other.isOver);
  return rows.sort((one, other) => {
    if (order === "problems") {
      return Number(isBad(other)) - Number(isBad(one)) || over(one, other) || newest(one, other);
    }
    if (over(one, other) !== 0) return over(one, other);
    if (one.isOver) return byNumber(other.ended, one.ended);
    if (order === "old") return -newest(one, other);
    if (order === "deadline") return byNumber(one.due, other.due) || newest(one, other);
    return newest(one, other);
  });
}
