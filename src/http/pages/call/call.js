// The page of a call: reads itself again when its call changes, travels in time without a reload, zooms the timeline.

import { byId, element, localTimes, signIn, toast } from "../shell/shell.js";

/** The shortest time between two readings, in milliseconds. */
const PAUSE = 1000;
/** How often the page of a live call is read again without a change, so that its timeline grows. */
const GROWS = 5000;
/** After this time without an answer the page is stale. */
const PATIENCE = 8000;

const call = byId("call");
const id = call.dataset.id ?? "";

/** How each part came from the server. @type {Map<string, Node>} */
const sources = new Map();
let zoom = 1;
let lastRead = Date.now();
let isReading = false;
let isWanted = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let planned;
/** @type {EventSource | undefined} */
let stream;

/** @returns {HTMLElement[]} */
const parts = () => Array.from(document.querySelectorAll("#call [data-part]"));

/**
 * Says since when the page is not up to date; nothing if it is.
 * @param {string} words
 */
function stale(words) {
  const bar = byId("stale");
  bar.hidden = words === "";
  bar.textContent = words;
  document.body.classList.toggle("is-stale", words !== "");
}

/**
 * What a person has opened, by its key.
 * @param {Element} part
 * @returns {Map<string, boolean>}
 */
function opened(part) {
  const details = /** @type {HTMLDetailsElement[]} */ (Array.from(part.querySelectorAll("details[data-key]")));
  return new Map(details.map((one) => [one.dataset.key ?? "", one.open]));
}

/**
 * Puts a part in the place of the one before. What was open stays open, and the focus stays where it was.
 * @param {HTMLElement} old
 * @param {HTMLElement} fresh
 */
function swap(old, fresh) {
  const open = opened(old);
  const active = document.activeElement instanceof HTMLElement && old.contains(document.activeElement)
    ? document.activeElement : null;
  const focus = active && (active.id !== "" ? `#${CSS.escape(active.id)}`
    : active.dataset.key ? `[data-key="${CSS.escape(active.dataset.key)}"]`
      : active.dataset.at ? `[data-at="${CSS.escape(active.dataset.at)}"]` : null);
  const scroller = old.querySelector("#scroller");
  const left = scroller?.scrollLeft ?? 0;
  const atEnd = scroller ? scroller.scrollLeft + scroller.clientWidth >= scroller.scrollWidth - 4 : false;
  for (const one of fresh.querySelectorAll("details[data-key]")) {
    const was = open.get(/** @type {HTMLElement} */ (one).dataset.key ?? "");
    if (was !== undefined) /** @type {HTMLDetailsElement} */ (one).open = was;
  }
  const chosen = old.querySelector("select")?.value;
  const select = fresh.querySelector("select");
  if (select && chosen !== undefined) select.value = chosen;
  old.replaceWith(fresh);
  localTimes(fresh);
  prepare(fresh);
  const now = fresh.querySelector("#scroller");
  if (now) now.scrollLeft = atEnd && zoom > 1 ? now.scrollWidth : left;
  if (focus) /** @type {HTMLElement | null} */ (fresh.querySelector(focus))?.focus({ preventScroll: true });
}

/** Reads the page again and replaces the parts that have changed. */
async function read() {
  if (isReading) {
    isWanted = true;
    return;
  }
  isReading = true;
  isWanted = false;
  const tooLate = new AbortController();
  const timer = setTimeout(() => tooLate.abort(new Error("no answer")), PATIENCE);
  try {
    const answer = await fetch(location.pathname + location.search, {
      headers: { Accept: "text/html" }, signal: tooLate.signal,
    });
    if (new URL(answer.url).pathname === "/sign-in") return signIn();
    if (!answer.ok) throw new Error(`precall answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("call");
    if (!fresh) throw new Error("the answer is not this page");
    // The database is back: this page has no place for the parts that come from there.
    if (call.dataset.fromMemory !== undefined && fresh.dataset.fromMemory === undefined) return location.reload();
    take(fresh);
    lastRead = Date.now();
    stale("");
  } catch (error) {
    const seconds = Math.round((Date.now() - lastRead) / 1000);
    const why = error instanceof Error ? error.message : String(error);
    stale(`Stale: this page shows the call as it was ${seconds} s ago (${why}). It tries again by itself.`);
    setTimeout(want, GROWS);
  } finally {
    clearTimeout(timer);
    isReading = false;
    if (isWanted) want();
  }
}

/** @param {HTMLElement} fresh */
function take(fresh) {
  const grown = Number(fresh.dataset.seq) > Number(call.dataset.seq);
  for (const name of ["seq", "live", "changes"]) {
    const value = fresh.dataset[name];
    if (value === undefined) delete call.dataset[name];
    else call.dataset[name] = value;
  }
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (fresh.querySelectorAll("[data-part]"))) {
    const name = part.dataset.part ?? "";
    const old = /** @type {HTMLElement | null} */ (document.querySelector(`#call [data-part="${CSS.escape(name)}"]`));
    if (!old || sources.get(name)?.isEqualNode(part)) continue;
    sources.set(name, part.cloneNode(true));
    swap(old, /** @type {HTMLElement} */ (document.adoptNode(part)));
  }
  const slider = /** @type {HTMLInputElement | null} */ (document.getElementById("travel"));
  const news = /** @type {HTMLInputElement | null} */ (fresh.querySelector("#travel"));
  if (slider && news) {
    slider.max = news.max;
    slider.dataset.seqs = news.dataset.seqs;
    if (document.activeElement !== slider) slider.value = news.getAttribute("value") ?? news.value;
  }
  if (grown) byId("announce").textContent = document.querySelector("#head .who")?.textContent ?? "";
  if (call.dataset.changes === undefined) stream?.close();
}

/** Wants the page to be read, at most once in `PAUSE`. */
function want() {
  if (planned) return;
  planned = setTimeout(() => {
    planned = undefined;
    void read();
  }, Math.max(0, lastRead + PAUSE - Date.now()));
}

/**
 * Shows the state after an event.
 * @param {string} seq
 * @param {"push" | "replace"} way
 */
function travel(seq, way) {
  const url = `${location.pathname}?at=${encodeURIComponent(seq)}`;
  if (way === "push") history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  void read();
}

/** @param {number} factor */
function zoomBy(factor) {
  const scroller = byId("scroller");
  const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth;
  zoom = factor === 0 ? 1 : Math.min(64, Math.max(1, zoom * factor));
  byId("picture").setAttribute("width", `${zoom * 100}%`);
  scroller.scrollLeft = middle * scroller.scrollWidth - scroller.clientWidth / 2;
}

/**
 * What a part needs from the script.
 * @param {ParentNode} below
 */
function prepare(below) {
  const tools = /** @type {HTMLElement | null} */ (below.querySelector("#zoom"));
  if (tools) tools.hidden = false;
  below.querySelector("#picture")?.setAttribute("width", `${zoom * 100}%`);
}

/** Hears of changes. A stream that was refused is opened again later. */
function follow() {
  if (call.dataset.changes === undefined) return;
  stream = new EventSource("/api/v1/events");
  stream.addEventListener("call", (event) => {
    if (event.data.includes(id)) want();
  });
  stream.addEventListener("reset", want);
  stream.addEventListener("open", () => {
    if (Date.now() - lastRead > PAUSE) want();
  });
  stream.addEventListener("error", () => {
    want();
    if (stream?.readyState === EventSource.CLOSED) setTimeout(follow, GROWS);
  });
}

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const button = event.target.closest("[data-zoom]");
  if (button) {
    const way = button.getAttribute("data-zoom");
    zoomBy(way === "in" ? 2 : way === "out" ? 0.5 : 0);
    return;
  }
  const link = event.target.closest("#call a[data-at]");
  if (!link) return;
  event.preventDefault();
  travel(link.getAttribute("data-at") ?? "", "push");
  if (!link.closest("#timeline")) byId("state").scrollIntoView({ block: "nearest" });
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.closest(".travel")) return;
  event.preventDefault();
  travel(/** @type {HTMLInputElement} */ (byId("at")).value, "push");
});

document.addEventListener("input", (event) => {
  const slider = event.target;
  if (!(slider instanceof HTMLInputElement) || slider.id !== "travel") return;
  const seq = (slider.dataset.seqs ?? "").split(" ")[Number(slider.value)];
  if (seq) travel(seq, "replace");
});

document.addEventListener("keydown", (event) => {
  const target = event.target;
  const types = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
    || target instanceof HTMLSelectElement;
  if (types || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const keys = /** @type {Record<string, string>} */ ({ "[": "Previous", "]": "Next" });
  if (keys[event.key]) {
    const link = document.querySelector(`.travel a[data-key="${keys[event.key]}"]`);
    if (link) travel(link.getAttribute("data-at") ?? "", "push");
  } else if (target instanceof Element && target.closest("#scroller")) {
    if (event.key === "+" || event.key === "=") zoomBy(2);
    else if (event.key === "-") zoomBy(0.5);
    else if (event.key === "0") zoomBy(0);
    else return;
  } else return;
  event.preventDefault();
});

document.addEventListener("precall:listening", want);
addEventListener("popstate", () => void read());
document.addEventListener("precall:acted", () => {
  toast("The result is in the timeline.", "good");
  want();
});
setInterval(() => {
  if (call.dataset.live !== undefined && !document.hidden && Date.now() - lastRead >= GROWS) want();
}, PAUSE);

const slider = document.querySelector(".slider");
if (slider instanceof HTMLElement) slider.hidden = false;
document.querySelector("#keys dl")?.append(
  element("dt", {}, element("kbd", {}, "["), " ", element("kbd", {}, "]")),
  element("dd", {}, "previous event, next event"),
  element("dt", {}, element("kbd", {}, "+"), " ", element("kbd", {}, "-"), " ", element("kbd", {}, "0")),
  element("dd", {}, "zoom the timeline that has the focus"),
);
for (const part of parts()) prepare(part);
follow();
