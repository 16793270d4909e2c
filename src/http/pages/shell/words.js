// Words, ages and bars as the server writes them (`parts.rs`).
import { element } from "./shell.js";

const svg = "http://www.w3.org/2000/svg";

/** @param {string} name */
export function words(name) {
  return name === "line_spoken" ? "utterance" : name.replaceAll("_", " ");
}

/** @param {string} name */
export function stateWords(name) {
  if (name === "handing_off") return "handing over";
  return name === "released" ? "ended" : words(name);
}

/**
 * A duration as `m:ss` or `h:mm:ss`.
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * An age in its largest unit.
 * @param {number} seconds
 */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 100) return `${whole} s`;
  if (whole < 6000) return `${Math.floor(whole / 60)} min`;
  return whole < 172800 ? `${Math.floor(whole / 3600)} h` : `${Math.floor(whole / 86400)} d`;
}

/**
 * A bar whose part is set by `setBar`.
 * @returns {{whole: SVGElement, done: SVGElement}}
 */
export function makeBar() {
  const whole = document.createElementNS(svg, "svg");
  whole.setAttribute("class", "bar-of");
  whole.setAttribute("viewBox", "0 0 100 8");
  whole.setAttribute("preserveAspectRatio", "none");
  whole.setAttribute("aria-hidden", "true");
  const rects = ["track", "done"].map((name) => {
    const rect = document.createElementNS(svg, "rect");
    rect.setAttribute("class", name);
    rect.setAttribute("width", "100");
    rect.setAttribute("height", "8");
    whole.append(rect);
    return rect;
  });
  const done = /** @type {SVGElement} */ (rects[1]);
  return { whole, done };
}

/**
 * A light with its words.
 * @param {string} name
 * @param {string} tone
 * @param {string} text
 */
export function light(name, tone, text) {
  return element("span", { class: `light ${tone}`, "data-light": name }, `${name} `, element("b", {}, text));
}

/**
 * A moment in UTC, with the local time as title.
 * @param {string} at
 */
export function time(at) {
  const date = new Date(at);
  const shown = Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return element("time", { datetime: at, title: `${date.toLocaleString()} local time` }, shown);
}
