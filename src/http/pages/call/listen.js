// Listens to a live call: sound comes by a WebSocket and is played by an AudioWorklet (`ear.js`).
import { byId } from "../shell/shell.js";

/** The bytes before the samples of a message: the channel, and the position of the first sample. */
const HEAD = 5;

const place = byId("listening");
const begin = byId("listen");
const end = byId("listen-end");
const state = byId("listen-state");
/** @type {WebSocket | null} */
let socket = null;
/** @type {AudioContext | null} */
let sound = null;
/** @type {AudioWorkletNode | null} */
let ear = null;
let frames = 0;
let dropped = 0;

/** @param {string} words */
function say(words) {
  state.textContent = words;
}

/** @param {string} words */
function stop(words) {
  socket?.close();
  void sound?.close();
  [socket, sound, ear] = [null, null, null];
  begin.hidden = false;
  end.hidden = true;
  document.body.classList.remove("is-listening");
  say(words);
  document.dispatchEvent(new CustomEvent("precall:listening"));
}

/** @param {number} rate */
async function open(rate) {
  document.dispatchEvent(new CustomEvent("precall:listening"));
  const opened = new AudioContext({ sampleRate: rate });
  sound = opened;
  await opened.audioWorklet.addModule(place.dataset.ear ?? "");
  // Listening may have been stopped meanwhile, and begun anew.
  if (sound !== opened) return;
  ear = new AudioWorkletNode(opened, "precall-ear", { numberOfInputs: 0, outputChannelCount: [2] });
  ear.connect(opened.destination);
  await opened.resume();
}

/** @param {ArrayBuffer} message */
function play(message) {
  const bytes = new DataView(message);
  const samples = new Float32Array((message.byteLength - HEAD) >> 1);
  for (let index = 0; index < samples.length; index += 1) {
    samples[index] = bytes.getInt16(HEAD + 2 * index, true) / 32768;
  }
  frames += 1;
  ear?.port.postMessage({ channel: bytes.getUint8(0), samples }, [samples.buffer]);
  if (frames % 50 === 1) {
    say(`You are listening: caller left, agent right. ${dropped > 0 ? `${dropped} frames were lost.` : ""}`);
  }
}

/** @param {any} told */
function heard(told) {
  if (told.type === "begin") void open(told.rate).catch((error) => stop(`No sound: ${error}`));
  else if (told.type === "dropped") dropped = told.frames;
  else if (told.type === "end") stop(`Listening has ended: ${String(told.reason).replaceAll("_", " ")}.`);
}

function start() {
  const address = new URL(place.dataset.path ?? "", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(address);
  socket = opened;
  opened.binaryType = "arraybuffer";
  [frames, dropped] = [0, 0];
  begin.hidden = true;
  end.hidden = false;
  document.body.classList.add("is-listening");
  say("Connecting.");
  opened.onmessage = ({ data }) => {
    if (typeof data === "string") heard(JSON.parse(data));
    else play(data);
  };
  opened.onclose = () => {
    if (socket === opened) stop(frames > 0 ? "The connection was lost." : "Listening was refused.");
  };
}

// What was told is in the timeline: told again by mistake, the agent would say it twice.
document.addEventListener("precall:acted", ({ target }) => {
  if (target instanceof HTMLFormElement && /\/(tell|say)$/.test(target.action)) target.reset();
});
begin.addEventListener("click", start);
end.addEventListener("click", () => stop("You have stopped listening."));
begin.hidden = false;
say("The audit log will say that you listened.");
