// The board: asks /api/v1/live once a second and shows the answer. It sets all data as text, never as markup.
"use strict";

const EVERY_MS = 1000;
const GIVE_UP_MS = 5000;
const COLUMNS = ["State", "Age", "Deadline", "Voice", "Caller", "Line", "Conversation", "Call"];
const KEY = "precall-key";

const at = (id) => document.getElementById(id);
const rows = new Map();
let key = null;
let ahead = 0; // The server's clock minus this clock, in milliseconds.
let timer = null;

function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  // Remove it from the address bar at once, so that it is not copied and not kept in the history.
  if (given) history.replaceState(null, "", location.pathname);
  return given;
}

function remember(value) {
  try { sessionStorage.setItem(KEY, value); } catch { /* Without storage the key lasts until the page is reloaded. */ }
}

function recall() {
  try { return sessionStorage.getItem(KEY); } catch { return null; }
}

function forget() {
  try { sessionStorage.removeItem(KEY); } catch { /* There was nothing to forget. */ }
}

function notice(text) {
  const place = at("notice");
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !text;
}

function ask(why) {
  key = null;
  forget();
  clearTimeout(timer);
  at("board").hidden = true;
  at("leave").hidden = true;
  at("ask").hidden = false;
  at("health").replaceChildren();
  at("capacity").replaceChildren();
  at("as-of").textContent = "";
  rows.clear();
  at("calls").replaceChildren();
  notice(why);
  at("key").focus();
}

function begin(value) {
  key = value;
  remember(value);
  at("key").value = "";
  at("ask").hidden = true;
  at("leave").hidden = false;
  notice("");
  look();
}

async function look() {
  const asked = key;
  if (!asked) return;
  try {
    const answer = await fetch("/api/v1/live", {
      headers: { Authorization: "Bearer " + asked },
      cache: "no-store",
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
    if (asked !== key) return;
    if (answer.status === 401) return ask("precall does not know this key.");
    if (!answer.ok) throw new Error("status " + answer.status);
    show(await answer.json());
    notice("");
  } catch (failure) {
    if (asked !== key) return;
    notice("precall does not answer (" + failure.message + "). The data may be old. Trying again.");
  }
  timer = setTimeout(look, EVERY_MS);
}

function chip(list, label, value, tone) {
  const item = document.createElement("li");
  const strong = document.createElement("b");
  strong.textContent = value;
  if (tone) strong.className = tone;
  item.append(label + " ", strong);
  list.append(item);
}

function tone(value) {
  if (value === "ok") return "good";
  return value === "error" ? "bad" : value === "degraded" || value === "connecting" ? "warn" : "";
}

// In the units that administrators buy. Unknown limits are left out.
function showCapacity(capacity) {
  const list = at("capacity");
  list.replaceChildren();
  const wanted = capacity.live_calls.limit;
  for (const [label, name] of [
    ["live calls", "live_calls"],
    ["agents", "agents"],
    ["voice slots", "voice_slots"],
    ["voice edits", "voice_edits"],
    ["3CX calls", "threecx_calls"],
  ]) {
    const { used, limit, short, age_seconds: age } = capacity[name];
    if (used === null && limit === null) continue;
    const parts = [used, limit === null ? null : (used === null ? "" : "of ") + limit].filter((part) => part !== null);
    const full = used !== null && limit !== null && used >= limit;
    const told = age === undefined ? "" : ", told " + (age < 90 ? age + " s" : Math.round(age / 60) + " min") + " ago";
    const note = (short ? ", fewer than " + wanted + " live calls" : "") + told;
    chip(list, label, parts.join(" ") + note, full ? "bad" : short ? "warn" : "");
  }
  for (const { budget, percent } of capacity.budgets) {
    const color = percent >= 100 ? "bad" : percent >= 80 ? "warn" : "";
    chip(list, "budget " + budget.replaceAll("_", " "), percent + " %", color);
  }
}

function show(live) {
  ahead = Date.parse(live.now) - Date.now();
  const { health, items } = live;
  at("board").hidden = false;
  at("count").textContent = items.length === 1 ? "1 live call" : items.length + " live calls";
  document.title = items.length + " live: precall";

  const lights = at("health");
  lights.replaceChildren();
  chip(lights, "precall", health.draining ? "stopping" : health.status, health.draining ? "warn" : tone(health.status));
  chip(lights, "database", health.database, tone(health.database));
  chip(lights, "ElevenLabs", health.elevenlabs, tone(health.elevenlabs));
  chip(lights, "queued events", String(health.queued_events), "");

  showCapacity(health.capacity);

  const counts = new Map();
  for (const call of items) counts.set(call.state, (counts.get(call.state) || 0) + 1);
  const states = at("states");
  states.replaceChildren();
  for (const state of ["offered", "greeting", "holding", "handing_off", "conversing"]) {
    chip(states, state.replace("_", " "), String(counts.get(state) || 0), "");
  }

  const seen = new Set();
  for (const call of items) {
    seen.add(call.id);
    const row = rows.get(call.id) || newRow(call.id);
    fill(row, call);
  }
  for (const [id, row] of rows) {
    if (!seen.has(id)) {
      row.line.remove();
      rows.delete(id);
    }
  }
  at("none").hidden = items.length > 0;
  at("as-of").textContent = "As of " + new Date(live.now).toLocaleTimeString() + ", version " + health.version + ".";
  tick();
}

function newRow(id) {
  const line = document.createElement("tr");
  const cells = {};
  for (const name of COLUMNS) {
    const cell = document.createElement("td");
    cell.dataset.label = name;
    if (name === "Call" || name === "Conversation") cell.className = "id";
    cells[name] = document.createElement("span");
    cell.append(cells[name]);
    line.append(cell);
  }
  const row = { line, cells, call: null };
  rows.set(id, row);
  at("calls").append(line);
  return row;
}

function put(cell, text, className) {
  if (cell.textContent !== text) cell.textContent = text;
  if (cell.className !== className) cell.className = className;
}

function fill(row, call) {
  row.call = call;
  put(row.cells.State, call.state.replace("_", " "), "");
  const missing = call.voice_missing ? " (" + call.voice_missing.replaceAll("_", " ") + ")" : "";
  const color = call.voice === "cloned" ? "good" : call.voice === "fallback" ? "warn" : "";
  put(row.cells.Voice, call.voice + missing, color);
  put(row.cells.Caller, call.caller, "");
  put(row.cells.Line, call.line + " (" + call.route + ")", "");
  put(row.cells.Conversation, call.conversation_id || "\u2013", "");
  put(row.cells.Call, call.id, "");
}

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const rest = String(seconds % 60).padStart(2, "0");
  return Math.floor(seconds / 60) + ":" + rest;
}

function tick() {
  const now = Date.now() + ahead;
  for (const { cells, call } of rows.values()) {
    if (!call) continue;
    put(cells.Age, span(now - Date.parse(call.offered_at)), "");
    const left = call.deadline_at ? Date.parse(call.deadline_at) - now : null;
    put(cells.Deadline, left === null ? "\u2013" : "in " + span(left), left !== null && left < 5000 ? "warn" : "");
  }
}

document.addEventListener("DOMContentLoaded", () => {
  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    begin(at("key").value.trim());
  });
  at("leave").addEventListener("click", () => ask(""));
  setInterval(tick, 250);
  const known = keyFromAddress() || recall();
  if (known) begin(known);
  else ask("");
});
