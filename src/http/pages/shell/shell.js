// What every page does: keys, local times, the theme, and actions with their confirmation.

/** The token of the session, which every change carries. */
export const csrf = document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "";

/**
 * Makes an element. Text from outside is only ever text.
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * An element that the page must have.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`this page has no #${id}`);
  return found;
}

/**
 * Says something to people who look and to people who listen.
 * @param {string} text
 * @param {"good" | "bad"} tone
 */
export function toast(text, tone) {
  let toasts = document.querySelector(".toasts");
  if (!toasts) {
    toasts = element("div", { class: "toasts" });
    document.body.append(toasts);
  }
  const shown = element("p", { class: tone, role: tone === "bad" ? "alert" : "status" }, text);
  toasts.append(shown);
  setTimeout(() => shown.remove(), tone === "bad" ? 15000 : 6000);
}

/**
 * Asks the API. A refusal becomes an error in its own words; without a session the sign-in page is shown.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function api(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRF-Token"] = csrf;
    if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  }
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.status === 401) {
    signIn();
    throw new Error("the session has ended");
  }
  const text = await answer.text();
  let read = null;
  try {
    read = text === "" ? null : JSON.parse(text);
  } catch {
    // Not JSON: an answer of a proxy.
  }
  if (!answer.ok) throw new Error(read?.detail ?? read?.title ?? `precall answered ${answer.status}`);
  return read;
}

/** Goes to the sign-in page, which leads back here. */
export function signIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * Asks for a confirmation.
 * @param {string} question
 * @param {string} button
 * @returns {Promise<boolean>}
 */
export function confirmed(question, button) {
  return new Promise((resolve) => {
    const yes = element("button", { value: "yes", class: "primary" }, button);
    const no = element("button", { value: "no", autofocus: "" }, "Cancel");
    const form = element("form", { method: "dialog" },
      element("p", {}, question), element("div", { class: "buttons" }, no, yes));
    const made = element("dialog", { class: "confirm", "aria-label": question }, form);
    const dialog = /** @type {HTMLDialogElement} */ (made);
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * The JSON body of a form: its named fields. Empty ones are left out.
 * @param {HTMLFormElement} form
 * @returns {Record<string, unknown> | undefined}
 */
function bodyOf(form) {
  /** @type {Record<string, unknown>} */
  const body = {};
  for (const field of Array.from(form.elements)) {
    if (field instanceof HTMLInputElement && field.name !== "" && field.type === "checkbox") {
      body[field.name] = field.checked;
    } else if (field instanceof HTMLInputElement && field.name !== "" && field.type === "number") {
      if (field.value !== "") body[field.name] = Number(field.value);
    } else if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement
        || field instanceof HTMLTextAreaElement) {
      if (field.name !== "" && field.value !== "") body[field.name] = field.value;
    }
  }
  return Object.keys(body).length === 0 ? undefined : body;
}

/**
 * Sends an action to the API, says what came of it, and tells the page by the event `precall:acted`.
 * @param {HTMLFormElement} form
 */
async function act(form) {
  const button = /** @type {HTMLButtonElement | null} */ (form.querySelector("button[type=submit]"));
  const name = button?.textContent ?? "Go on";
  const question = form.dataset.confirm ?? "";
  if (question !== "" && !await confirmed(question, name)) return;
  if (button) button.disabled = true;
  try {
    const answer = await api(form.dataset.method ?? "POST", form.getAttribute("action") ?? "", bodyOf(form));
    toast(form.dataset.done ?? `${name}: done`, "good");
    form.dispatchEvent(new CustomEvent("precall:acted", { bubbles: true, detail: answer }));
    if (form.dataset.then) location.assign(form.dataset.then);
  } catch (error) {
    toast(`${name}: ${error instanceof Error ? error.message : error}`, "bad");
  } finally {
    if (button) button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form instanceof HTMLFormElement && form.dataset.method) {
    event.preventDefault();
    void act(form);
  }
});

/**
 * Gives every time below the element the local time as title.
 * @param {ParentNode} below
 */
export function localTimes(below) {
  for (const time of below.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.getAttribute("datetime") ?? "");
    if (!Number.isNaN(at.getTime())) time.setAttribute("title", `${at.toLocaleString()} local time`);
  }
}

/** Loads the page again after an action, a moment later, so that its result can be read first. */
export function reloadAfterActions() {
  document.addEventListener("precall:acted", () => setTimeout(() => location.reload(), 1200));
}

/** Rows that `j` and `k` go through, in a table with `data-rows`. */
function rows() {
  return /** @type {HTMLElement[]} */ (Array.from(document.querySelectorAll("[data-rows] tr[data-href]")));
}

/** @param {number} step */
function move(step) {
  const all = rows();
  const now = all.findIndex((row) => row.classList.contains("chosen"));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  if (!next) return;
  all[now]?.classList.remove("chosen");
  next.classList.add("chosen");
  next.scrollIntoView({ block: "nearest" });
  const link = next.querySelector("a");
  if (link instanceof HTMLElement) link.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  const target = event.target;
  const types = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
    || target instanceof HTMLSelectElement;
  if (event.key === "Escape" && types) {
    target.blur();
    return;
  }
  if (types || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "/") byId("search").focus();
  else if (event.key === "?") /** @type {HTMLDialogElement} */ (byId("keys")).showModal();
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && target === document.body) {
    const href = /** @type {HTMLElement | null} */ (document.querySelector("tr.chosen"))?.dataset.href;
    if (href) location.assign(href);
  } else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element) || target.closest("a, button, input, select, summary, form")) return;
  const row = /** @type {HTMLElement | null} */ (target.closest("tr[data-href]"));
  if (row?.dataset.href && getSelection()?.toString() === "") location.assign(row.dataset.href);
});

/** The theme that was chosen; else that of the system. */
function theme() {
  const root = document.documentElement;
  const chosen = localStorage.getItem("precall-theme");
  if (chosen) root.dataset.theme = chosen;
  const button = document.getElementById("theme");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const isDark = getComputedStyle(root).colorScheme === "dark"
      || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("precall-theme", root.dataset.theme);
  });
}

theme();
localTimes(document);
