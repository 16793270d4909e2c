//! What the agent can do in its script.
//!
//! | step | does |
//! |---|---|
//! | `{"role":"agent","message":M}` | the same as `say` |
//! | `{"role":"user","message":M}` | the same as `hear` |
//! | `{"do":"say","text":M}` | speaks, in the voice's own tone, as long as the text takes (66 ms a character) or `ms`; see below |
//! | `{"do":"hear"}` | waits for 200 ms of sound in the caller's audio, `within_ms` (1000) at most; with `text`, what was heard is transcribed as that |
//! | `{"do":"transcribe","text":M}` | transcribes that, whatever was heard |
//! | `{"do":"wait","ms":N}` | nothing but pings; `stall` is the same, where an answer is owed |
//! | `{"do":"freeze","ms":N}` | nothing at all: no pings, no pongs |
//! | `{"do":"silence","ms":N}` | audio without a sound, in the pace of `pace` |
//! | `{"do":"call_tool","name":N}` | a client tool with `parameters`; waits for its result, `within_ms` (20000) at most |
//! | `{"do":"vad_score","score":S}` | tells how sure it is that somebody speaks |
//! | `{"do":"send","message":{..}}` | sends this as it is; `send_text` sends any text |
//! | `{"do":"error","code":C,"error_type":T,"message":M}` | an error message, and the socket stays open |
//! | `{"do":"close","code":C,"reason":R}` | closes the socket; with `error_type` an error message goes before |
//! | `{"do":"drop"}` | drops the connection without a word |
//! | `{"do":"end"}` | the agent ends the call (code 1000) |
//!
//! `say` also takes `pace` (`piece_ms` of audio, so many `pieces` every `every_ms`; 0 is everything at once), `until`
//! (`played`: the step ends when the caller has heard it; `sent`: when it is sent), `interrupt_after_ms` (as if the caller
//! spoke then: the rest is not sent), `late_pieces` (so many are sent all the same, after the interruption), `barge_in`
//! (the caller's sound interrupts it), and `stall` (`at_ms` of its audio nothing comes for `ms`).

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
    /// After so much of its audio.
    pub at_ms: u64,
    /// Nothing comes for so long.
    pub ms: u64,
}

/// What the agent says, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Say {
    /// The words; `{{name}}` is replaced by the dynamic variable of that name.
    pub text: String,
    /// How long it takes, in milliseconds; otherwise its length decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Other than the agent's.
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

/// One thing to do; see the table above.
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

/// Refuses what is too much.
///
/// # Errors
/// Says what.
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
