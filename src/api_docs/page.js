// Asks for a key, reads the OpenAPI document with it, and shows the document with Swagger UI.
"use strict";

// The board uses the same name: one key for both pages of a tab.
const KEY = "precall-key";
const DOCUMENT = "/api/v1/openapi.json";
const PATIENCE_MS = 10_000;

function at(id) {
  return document.getElementById(id);
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
  at("notice").textContent = text || "";
  at("notice").hidden = !text;
}

function ask(why) {
  at("leave").hidden = true;
  at("api").replaceChildren();
  at("ask").hidden = false;
  notice(why);
  at("key").focus();
}

async function read(key) {
  const headers = { Authorization: `Bearer ${key}` };
  const answer = await fetch(DOCUMENT, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401) {
    forget();
    return { why: "precall does not know this key." };
  }
  if (!answer.ok) return { why: `precall answered ${answer.status}. Try again.` };
  return { api: await answer.json() };
}

async function begin(key) {
  at("ask").hidden = true;
  notice("");
  let result;
  try {
    result = await read(key);
  } catch {
    result = { why: "precall cannot be reached. Try again." };
  }
  if (!result.api) return ask(result.why);
  remember(key);
  at("key").value = "";
  at("leave").hidden = false;
  show(result.api, key);
}

function show(api, key) {
  const shown = SwaggerUIBundle({
    spec: api,
    domNode: at("api"),
    presets: [SwaggerUIBundle.presets.apis],
    // Without this the page would ask a service of Swagger whether the document is valid.
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    filter: true,
    onComplete: () => shown.preauthorizeApiKey("bearer", key),
  });
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(at("key").value.trim());
});
at("leave").addEventListener("click", () => {
  forget();
  ask("");
});

const known = recall();
if (known) begin(known);
else ask("");
