// The history: keeps the URL short, and shows the times of the range in local time.
import { byId } from "../shell/shell.js";

byId("filters").addEventListener("formdata", (event) => {
  const empty = [...event.formData].filter(([, value]) => value === "").map(([name]) => name);
  for (const name of empty) event.formData.delete(name);
});

for (const time of document.querySelectorAll(".histogram figcaption time")) {
  const at = new Date(time.getAttribute("datetime") ?? "");
  const local = at.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
  if (!Number.isNaN(at.getTime()) && at.getTimezoneOffset() !== 0) time.append(` (${local} here)`);
}
