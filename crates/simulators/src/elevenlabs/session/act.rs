//! What the agent can do in its script.
//!
//! | step | does |
//! |---|---|
//! | `{"role":"agent","message":M}` | the same as `say` |
//! | `{"role":"user","message":M}` | the same as `hear` |
//! | `{"do":"say","text":M}` | speaks in the voice's tone, 66 ms a character or `ms` in all; see below |
//! | `{"do":"hear"}` | waits for 200 ms of caller's sound, at most `within_ms` (1000); then transcribes `text` |
//! | `{"do":"transcribe","text":M}` | transcribes this text, without audio |
//! | `{"do":"wait","ms":N}` | sends only pings; `stall` does the same in place of an answer |
//! | `{"do":"freeze","ms":N}` | sends nothing: no pings, no pongs |
//! | `{"do":"silence","ms":N}` | sends silent audio at the pace of `pace` |
//! | `{"do":"call_tool","name":N}` | calls a client tool with `parameters`, waits `within_ms` (20000) for it |
//! | `{"do":"vad_score","score":S}` | sends the probability that the caller speaks |
//! | `{"do":"send","message":{..}}` | sends this message unchanged; `send_text` sends any text |
//! | `{"do":"error","code":C,"error_type":T,"message":M}` | sends an error; the socket stays open |
//! | `{"do":"close","code":C,"reason":R}` | closes the socket, after an error message if `error_type` is given |
//! | `{"do":"drop"}` | drops the connection without a close frame |
//! | `{"do":"end"}` | the agent ends the call (code 1000) |
//!
//! `say` also takes:
//! - `pace`: `pieces` pieces of `piece_ms` of audio every `every_ms`; 0 sends all at once
//! - `until`: the step ends when the caller has heard the audio (`played`) or when it was sent (`sent`)
//! - `interrupt_after_ms`: an interruption as if the caller spoke; the rest is not sent
//! - `late_pieces`: pieces that are sent after the interruption
//! - `barge_in`: the caller's sound interrupts it
//! - `stall`: no audio for `ms`, at `at_ms` of the audio

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest text of a step, in bytes.
const LONGEST_TEXT: usize = 4_096;
/// Longest raw message of a step, in bytes.
const LONGEST_RAW: usize = 1024 * 1024;
/// The longest time in a step.
pub(super) const LONGEST_MS: u64 = 3_600_000;

/// How audio is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Length of one piece, in milliseconds.
    pub piece_ms: u64,
    /// How often pieces are sent, in milliseconds; 0 sends everything at once.
    pub every_ms: u64,
    /// How many are sent each time.
    pub pieces: u64,
}

impl Default for Pace {
    /// Twice as fast as it is played: the provider sends faster than real time (facts page, section 4).
    fn default() -> Self {
        Self { piece_ms: 100, every_ms: 50, pieces: 1 }
    }
}

/// When a `say` is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// When the caller has heard it all.
    #[default]
    Played,
    /// When the last of it is sent.
    Sent,
}

/// A pause in the audio of a `say`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StallAt {
    /// The position in the audio, in milliseconds.
    pub at_ms: u64,
    /// How long no audio is sent, in milliseconds.
    pub ms: u64,
}

/// One utterance of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Say {
    /// The words; `{{name}}` is replaced by the dynamic variable of that name.
    pub text: String,
    /// Its length in milliseconds; by default the length of the text decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The pace, where it differs from the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// When the step is over.
    pub until: Until,
    /// Milliseconds after which it is interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupt_after_ms: Option<u64>,
    /// Pieces that are sent after the interruption.
    pub late_pieces: u64,
    /// Whether the caller's sound interrupts it.
    pub barge_in: bool,
    /// A pause in its audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<StallAt>,
}

/// One step; see the table above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)] // The table says it.
pub enum Act {
    Say(Say),
    Hear {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default = "hear_within_ms")]
        within_ms: u64,
    },
    Transcribe {
        text: String,
    },
    Wait {
        ms: u64,
    },
    Stall {
        ms: u64,
    },
    Freeze {
        ms: u64,
    },
    Silence {
        ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pace: Option<Pace>,
    },
    CallTool {
        name: String,
        #[serde(default)]
        parameters: Map<String, Value>,
        #[serde(default = "tool_within_ms")]
        within_ms: u64,
    },
    VadScore {
        score: f64,
    },
    Send {
        message: Map<String, Value>,
    },
    SendText {
        text: String,
    },
    Error {
        code: u16,
        error_type: String,
        message: String,
    },
    Close {
        code: u16,
        #[serde(default)]
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_type: Option<String>,
    },
    Drop {},
    End {},
}

pub(super) fn hear_within_ms() -> u64 {
    1_000
}

/// The provider's default for tools.
fn tool_within_ms() -> u64 {
    20_000
}

/// Checks the limits.
///
/// # Errors
/// The limit that is exceeded.
pub(super) fn check(act: &Act) -> Result<(), String> {
    let text = |text: &str| {
        if text.len() > LONGEST_TEXT {
            return Err(format!("a message has at most {LONGEST_TEXT} bytes"));
        }
        Ok(())
    };
    let time = |ms: u64| {
        if ms > LONGEST_MS {
            return Err(format!("a step takes at most {LONGEST_MS} ms"));
        }
        Ok(())
    };
    match act {
        Act::Say(say) => {
            text(&say.text)?;
            time(say.ms.unwrap_or(0))?;
            time(say.stall.map_or(0, |stall| stall.ms))?;
            say.pace.map_or(Ok(()), check_pace)
        }
        Act::Hear { text: words, within_ms } => {
            text(words.as_deref().unwrap_or_default())?;
            time(*within_ms)
        }
        Act::Transcribe { text: words } => text(words),
        Act::Wait { ms } | Act::Stall { ms } | Act::Freeze { ms } => time(*ms),
        Act::Silence { ms, pace } => {
            time(*ms)?;
            pace.map_or(Ok(()), check_pace)
        }
        Act::CallTool { name, parameters, within_ms } => {
            text(name)?;
            raw(Value::Object(parameters.clone()).to_string().len())?;
            time(*within_ms)
        }
        Act::VadScore { score } if !(0.0..=1.0).contains(score) => {
            Err("a score is between 0 and 1".to_owned())
        }
        Act::Send { message } => raw(Value::Object(message.clone()).to_string().len()),
        Act::SendText { text } => raw(text.len()),
        Act::Close { code, .. } if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) => {
            Err(format!("{code} is no code that closes a WebSocket"))
        }
        Act::VadScore { .. } | Act::Error { .. } | Act::Close { .. } | Act::Drop {} | Act::End {} => Ok(()),
    }
}

fn raw(length: usize) -> Result<(), String> {
    if length > LONGEST_RAW {
        return Err(format!("a raw message has at most {LONGEST_RAW} bytes"));
    }
    Ok(())
}

pub(super) fn check_pace(pace: Pace) -> Result<(), String> {
    if !(10..=10_000).contains(&pace.piece_ms)
        || !(1..=1_000).contains(&pace.pieces)
        || pace.every_ms > LONGEST_MS
    {
        return Err("a pace has piece_ms from 10 to 10000 and pieces from 1 to 1000".to_owned());
    }
    Ok(())
}
