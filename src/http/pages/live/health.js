// Lights, problems, capacity and counters of the live board, as `health.rs` and `live.rs` write them.
import { byId, element } from "../shell/shell.js";
import { age, light, time, words } from "../shell/words.js";

/**
 * Use of something limited.
 * @typedef {object} Measure
 * @property {number | null} used
 * @property {number | null} limit
 * @property {boolean} short
 * @property {number} [age_seconds]
 */

/**
 * Something that needs a person.
 * @typedef {object} Problem
 * @property {string} area
 * @property {string | null} since
 * @property {string} words
 * @property {string} remedy
 * @property {number} failed
 * @property {number} succeeded
 * @property {string | null} call
 */

/**
 * The health of precall.
 * @typedef {object} Health
 * @property {string} status
 * @property {string} database
 * @property {string} elevenlabs
 * @property {string} threecx
 * @property {string} spool
 * @property {boolean} draining
 * @property {boolean} standby
 * @property {Problem[]} problems
 * @property {Record<string, Measure>} capacity
 */

/** @param {string} state */
function tone(state) {
  if (state === "ok") return "good";
  if (["none", "not_configured", "unknown"].includes(state)) return "quiet";
  return ["waiting", "connecting", "degraded"].includes(state) ? "warn" : "bad";
}

/** @param {Health} health */
function precallWord(health) {
  if (health.draining) return "draining";
  return health.standby ? "standby" : health.status;
}

/** @param {Problem} problem */
function problemLine(problem) {
  const line = element("p", { class: "problem", "data-area": problem.area }, element("b", {}, words(problem.area)));
  if (problem.since) line.append(" since ", time(problem.since));
  line.append(`: ${problem.words}`);
  if (problem.failed > 0) {
    line.append(` (${problem.failed} failed, ${problem.succeeded} succeeded in the last ten minutes)`);
  }
  if (problem.remedy !== "") line.append(" ", element("span", { class: "remedy" }, problem.remedy));
  if (problem.call) line.append(" ", element("a", { href: `/calls/${encodeURIComponent(problem.call)}` }, "last call"));
  return line;
}

const MEASURES = /** @type {const} */ ([
  ["calls", "live_calls"], ["agent conversations", "agents"], ["voice slots", "voice_slots"],
  ["voice edits", "voice_edits"], ["PBX calls", "threecx_calls"],
]);

/**
 * @param {string} name
 * @param {Measure} measure
 */
function measureItem(name, measure) {
  const item = element("li", measure.short ? { class: "warn" } : {}, `${name} `,
    element("span", { class: "figure" }, `${measure.used ?? "?"} / ${measure.limit ?? "no limit"}`));
  if (measure.short) item.append(" (less than configured)");
  if (measure.age_seconds !== undefined) item.append(` (age ${age(measure.age_seconds)})`);
  return item;
}

/** What was drawn last: nothing is touched that did not change, so that screen readers say news alone. */
let drawn = "";

/** @param {Health} health */
export function showHealth(health) {
  const text = JSON.stringify([health.status, health.database, health.elevenlabs, health.threecx, health.spool,
    health.draining, health.standby, health.problems]);
  byId("capacity").replaceChildren(...MEASURES.flatMap(([name, key]) => {
    const measure = health.capacity[key];
    return measure && (measure.used !== null || measure.limit !== null) ? [measureItem(name, measure)] : [];
  }));
  if (text === drawn) return;
  drawn = text;
  byId("lights").replaceChildren(
    light("precall", tone(health.status), words(precallWord(health))), " ",
    light("database", tone(health.database), words(health.database)), " ",
    light("spool", tone(health.spool), health.spool === "ok" ? "empty" : words(health.spool)), " ",
    light("3CX", tone(health.threecx), words(health.threecx)), " ",
    light("ElevenLabs", tone(health.elevenlabs), words(health.elevenlabs)));
  byId("problems").replaceChildren(...health.problems.map(problemLine));
}

/** @param {Record<string, number>} counters */
export function showCounters(counters) {
  for (const shown of byId("counters").querySelectorAll("[data-counter]")) {
    const name = shown.getAttribute("data-counter") ?? "";
    const value = name === "greeting" ? (counters.offered ?? 0) + (counters.greeting ?? 0) : counters[name];
    if (value !== undefined && shown.textContent !== String(value)) shown.textContent = String(value);
  }
}
