// The inside of the process: fetches the figures again every few seconds while the page is seen.
import { byId, localTimes, reloadAfterActions, signIn } from "../shell/shell.js";

const EVERY = 3000;
let failures = 0;

async function update() {
  try {
    const answer = await fetch("/system/figures", { redirect: "manual" });
    if (answer.type === "opaqueredirect") return signIn();
    if (!answer.ok) throw new Error(`precall answered ${answer.status}`);
    const read = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = read.getElementById("figures");
    if (!fresh) throw new Error("the figures are missing");
    byId("figures").replaceWith(document.importNode(fresh, true));
    localTimes(document);
    failures = 0;
  } catch {
    failures += 1;
  }
  const stale = byId("stale");
  stale.hidden = failures < 2;
  stale.textContent = "precall does not answer: these figures are old.";
  document.body.classList.toggle("is-stale", failures >= 2);
}

setInterval(() => {
  if (!document.hidden && !getSelection()?.toString()) void update();
}, EVERY);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void update();
});
reloadAfterActions();
