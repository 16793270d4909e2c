// Lines: sends the next version of a line, and opens the page of a number.
import { api, confirmed, reloadAfterActions, toast } from "../shell/shell.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("next-version"));
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
  void save(form, button?.value === "true");
});

/**
 * @param {HTMLFormElement} form
 * @param {boolean} publish
 */
async function save(form, publish) {
  if (publish && !await confirmed("This version counts for new calls at once.", "Save and publish")) return;
  /** @type {Record<string, unknown>} */
  const settings = {};
  let note;
  for (const field of Array.from(form.elements)) {
    const isText = field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement;
    if (!isText && !(field instanceof HTMLSelectElement)) continue;
    if (field.value.trim() === "") continue;
    if (field.name === "note") note = field.value;
    else settings[field.name] = field.type === "number" ? Number(field.value) : field.value;
  }
  try {
    await api("PUT", form.getAttribute("action") ?? "", { settings, publish, ...(note === undefined ? {} : { note }) });
    location.reload();
  } catch (error) {
    toast(`Save: ${error instanceof Error ? error.message : error}`, "bad");
  }
}

document.getElementById("open-line")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const number = new FormData(/** @type {HTMLFormElement} */ (event.target)).get("number");
  location.assign(`/lines/${encodeURIComponent(String(number))}`);
});
reloadAfterActions();
