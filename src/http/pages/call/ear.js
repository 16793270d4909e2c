// Plays what a listener hears, on the sound thread of the browser: the caller on the left, the agent on the right.
const scope = /** @type {any} */ (globalThis);

/** So much is waited for before a channel plays, in seconds: the network is not even. */
const AHEAD = 0.2;
/** More than this is not kept: whoever is behind skips to what is said now. */
const BEHIND = 1;

class Ear extends scope.AudioWorkletProcessor {
  constructor() {
    super();
    /** @type {{pieces: Float32Array[], at: number, count: number, plays: boolean}[]} */
    this.channels = [0, 1].map(() => ({ pieces: [], at: 0, count: 0, plays: false }));
    this.port.onmessage = (/** @type {MessageEvent} */ event) => this.take(event.data.channel, event.data.samples);
  }

  /**
   * @param {number} number
   * @param {Float32Array} samples
   */
  take(number, samples) {
    const channel = this.channels[number];
    if (!channel) return;
    channel.pieces.push(samples);
    channel.count += samples.length;
    while (channel.count > BEHIND * scope.sampleRate && channel.pieces.length > 1) {
      channel.count -= (channel.pieces.shift()?.length ?? 0) - channel.at;
      channel.at = 0;
    }
    if (channel.count >= AHEAD * scope.sampleRate) channel.plays = true;
  }

  /**
   * @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs
   */
  process(_, outputs) {
    this.channels.forEach((channel, number) => {
      const out = outputs[0]?.[number];
      if (!out || !channel.plays) return;
      for (let index = 0; index < out.length; index += 1) {
        const piece = channel.pieces[0];
        if (!piece) {
          channel.plays = false;
          return;
        }
        out[index] = piece[channel.at] ?? 0;
        channel.at += 1;
        channel.count -= 1;
        if (channel.at >= piece.length) {
          channel.pieces.shift();
          channel.at = 0;
        }
      }
    });
    return true;
  }
}

scope.registerProcessor("precall-ear", Ear);
