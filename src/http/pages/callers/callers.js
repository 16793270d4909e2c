// Callers and voices: uploads a sample with its progress, and maps a new caller.
import { csrf, reloadAfterActions, signIn, toast } from "../shell/shell.js";

/**
 * Sends a body, and tells how much of it is away.
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {XMLHttpRequestBodyInit} body
 * @param {(percent: number) => void} progress
 * @returns {Promise<any>}
 */
function put(path, headers, body, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    for (const [name, value] of Object.entries({ ...headers, "X-CSRF-Token": csrf, Accept: "application/json" })) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(Math.round(event.loaded / event.total * 100));
    });
    request.addEventListener("error", () => reject(new Error("the connection broke")));
    request.addEventListener("load", () => {
      if (request.status === 401) signIn();
      let read = null;
      try {
        read = JSON.parse(request.responseText);
      } catch {
        // Not JSON: an answer of a proxy.
      }
      if (request.status >= 200 && request.status < 300) resolve(read);
      else if (request.status === 412) reject(new Error("this number is mapped already: see its row"));
      else reject(new Error(read?.detail ?? read?.title ?? `precall answered ${request.status}`));
    });
    request.send(body);
  });
}

/** @param {unknown} error */
const words = (error) => error instanceof Error ? error.message : String(error);

/** @param {HTMLFormElement} form */
async function upload(form) {
  const file = /** @type {HTMLInputElement} */ (form.elements.namedItem("file")).files?.[0];
  const bar = /** @type {HTMLProgressElement} */ (form.querySelector("progress"));
  const verdict = /** @type {HTMLOutputElement} */ (form.querySelector("output"));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  if (!file) return;
  bar.hidden = false;
  button.disabled = true;
  verdict.className = "";
  verdict.textContent = "uploading";
  try {
    const kept = await put(form.getAttribute("action") ?? "", { "Content-Type": "application/octet-stream" }, file,
      (percent) => {
        bar.value = percent;
        verdict.textContent = percent < 100 ? `${percent} % sent` : "sent, precall listens to it";
      });
    verdict.textContent = `usable: ${kept.format}, ${(kept.duration_ms / 1000).toFixed(1)} s. The next clone uses it; `
      + "the speaker's consent must cover it.";
  } catch (error) {
    verdict.className = "bad";
    verdict.textContent = `refused: ${words(error)}`;
  } finally {
    bar.hidden = true;
    button.disabled = false;
  }
}

/** @param {HTMLFormElement} form */
async function map(form) {
  const { number, ...rest } = Object.fromEntries(new FormData(form));
  const headers = { "Content-Type": "application/json", "If-None-Match": "*" };
  try {
    await put(`/api/v1/callers/${encodeURIComponent(String(number))}`, headers, JSON.stringify(rest), () => {});
    location.reload();
  } catch (error) {
    toast(`Map: ${words(error)}`, "bad");
  }
}

/**
 * A player shows nothing of a problem but a grey button.
 * @param {HTMLAudioElement} player
 */
async function why(player) {
  const said = player.parentElement?.querySelector("output");
  if (!said) return;
  // HEAD is not answered here, and a GET would have an audit row: one byte behind every end is never a play.
  const range = { Range: `bytes=${Number.MAX_SAFE_INTEGER}-`, Accept: "application/json" };
  try {
    const answer = await fetch(player.src, { headers: range });
    if (answer.status === 401) signIn();
    const read = await answer.json();
    said.textContent = answer.status === 416 ? "This browser cannot play this format."
      : `Not played: ${read.detail ?? read.title}`;
  } catch (error) {
    said.textContent = `Not played: ${words(error)}`;
  }
}

document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLAudioElement) void why(event.target);
}, true);
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement)) return;
  if (form.matches(".upload")) {
    event.preventDefault();
    void upload(form);
  } else if (form.id === "new-caller") {
    event.preventDefault();
    void map(form);
  }
});
reloadAfterActions();
