// Every visible text, and every mark of a state, whose contrast with what is behind it is below WCAG AA. Returns lines
// of words: an empty list means that all is well.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

// Any colour of CSS as red, green, blue and alpha, each 0 to 1.
function parts(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return Array.from(canvas.getImageData(0, 0, 1, 1).data, (byte) => byte / 255);
}

// One colour over another, which is opaque.
const over = (top, below, alpha) => [0, 1, 2].map((at) => top[at] * alpha + below[at] * (1 - alpha));

function luminance(colour) {
  const linear = colour.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(one, other) {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}

// What is behind an element: the first opaque ground, with the others over it.
function ground(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const [red, green, blue, alpha] = parts(getComputedStyle(at).backgroundColor);
    if (alpha > 0) layers.unshift([[red, green, blue], alpha]);
    if (alpha === 1) break;
  }
  const page = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [1, 1, 1];
  return layers.reduce((below, [colour, alpha]) => over(colour, below, alpha), page);
}

function isSeen(element, style) {
  if (!element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) return false;
  if (element.closest(".unseen, .skip, [aria-hidden=true]") || style.clipPath !== "none") return false;
  const box = element.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
}

function check(element, style, colour, wanted, what, behind = ground(element)) {
  const [red, green, blue, alpha] = parts(colour);
  const found = contrast(over([red, green, blue], behind, alpha), behind);
  if (found >= wanted) return [];
  const shown = behind.map((part) => Math.round(part * 255)).join(" ");
  const name = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
  return [`${found.toFixed(2)} in place of ${wanted}: ${what} of ${name}, ${colour} on ${shown}`];
}

// Controls that cannot be used need no contrast, by the same rules.
function ofText(element) {
  const style = getComputedStyle(element);
  if (!isSeen(element, style) || element.matches(":disabled")) return [];
  // Text in pictures has its colour in `fill`, and the shape before it as its ground.
  const picture = element.closest("svg");
  const shape = picture && element.parentElement?.querySelector(".ground");
  const behind = shape ? over(parts(getComputedStyle(shape).fill), ground(picture), 1) : ground(element);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const words = String(element.value || element.textContent).trim().slice(0, 40);
  return check(element, style, picture ? style.fill : style.color, isLarge ? 3 : 4.5, `"${words}"`, behind);
}

// What an empty field says of itself.
function ofPlaceholder(element) {
  const style = getComputedStyle(element, "::placeholder");
  return element.value === "" && element.placeholder && isSeen(element, getComputedStyle(element))
    ? check(element, style, style.color, 4.5, "the placeholder") : [];
}

// The shape of a state or a light.
function ofMark(element) {
  const style = getComputedStyle(element, "::before");
  return isSeen(element, getComputedStyle(element)) ? check(element, style, style.color, 3, "the mark") : [];
}

// The border of a field is what shows where it is.
function ofField(element) {
  const style = getComputedStyle(element);
  const behind = ground(element.parentElement);
  return isSeen(element, style) && !element.matches(":disabled")
    ? check(element, style, style.borderTopColor, 3, "the border", behind) : [];
}

const texts = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (walker.currentNode.data.trim() !== "" && !element.matches("script, style, option")) texts.add(element);
}
for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) texts.add(field);
const marks = Array.from(document.querySelectorAll(".light, .state"));
const fields = Array.from(
  document.querySelectorAll("input:not([type=hidden], [type=range]), select, textarea, button"));
return [
  ...Array.from(texts).flatMap(ofText), ...marks.flatMap(ofMark), ...fields.flatMap(ofField),
  ...fields.flatMap(ofPlaceholder),
  ...(texts.size < 5 ? [`only ${texts.size} texts were found`] : []),
];
