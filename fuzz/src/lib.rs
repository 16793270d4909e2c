//! Fuzz targets: one function for every parser of bytes that come from outside.
//!
//! A target takes any bytes and must come to its end: without a panic, within [`Limits`], and with what its parser
//! promises. `tests/targets.rs` runs all of them for a few seconds, `src/bin/guided.rs` runs one for hours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target may stop at what it did not expect: that is a finding"
)]

mod changed;
mod corpus;
mod guard;
mod mutation;
mod targets;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

pub use changed::{Done, Finding, Order};
pub use corpus::{corpus, folder};
pub use mutation::{Mutator, Random};

/// One parser, or a few that read the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Parses an input. Panics when the parser breaks a promise.
    pub run: fn(&[u8]),
    /// Longest input, in bytes.
    pub bytes_max: usize,
    /// Another folder with inputs, in the project.
    pub more: Option<&'static str>,
}

/// All targets.
pub const TARGETS: [Target; 17] = [
    Target::new("signature_header", targets::webhooks::signature_header, 2 * 1024),
    Target::new("pbx_webhook", targets::webhooks::pbx_webhook, 16 * 1024),
    Target::new("provider_webhook", targets::webhooks::provider_webhook, 16 * 1024),
    Target::new("initiation_webhook", targets::webhooks::initiation_webhook, 4 * 1024),
    Target::new("pbx_event", targets::pbx::event, 8 * 1024),
    Target::new("pbx_participants", targets::pbx::participants, 8 * 1024),
    Target::new("pbx_socket", targets::pbx::socket, 8 * 1024),
    Target::new("agent_messages", targets::agent::messages, 16 * 1024),
    Target::new("agent_url", targets::agent::url, 2 * 1024),
    Target::new("callers_csv", targets::people::callers_csv, 16 * 1024),
    Target::new("phone_number", targets::people::phone_number, 256),
    Target::new("forwarded", targets::settings::forwarded, 1024),
    Target::new("dotenv", targets::settings::dotenv, 8 * 1024),
    Target::new("database_url", targets::settings::database_url, 2 * 1024),
    Target::new("spool", targets::spool::spool, 16 * 1024),
    Target::new("bucket_versions", targets::files::bucket_versions, 8 * 1024),
    Target {
        more: Some("crates/audio/src/prompts/fixtures/recordings"),
        ..Target::new("recording", targets::files::recording, 32 * 1024)
    },
];

impl Target {
    const fn new(name: &'static str, run: fn(&[u8]), bytes_max: usize) -> Self {
        Self { name, run, bytes_max, more: None }
    }

    /// The target with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

/// What one execution may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processor time of its thread.
    pub time: Duration,
    /// Bytes that it has allocated and not yet freed, at any moment.
    pub bytes: usize,
}

impl Limits {
    /// The limits of an optimised build.
    pub const STRICT: Self = Self { time: Duration::from_secs(1), bytes: 64 * 1024 * 1024 };
    /// The limits of a debug build.
    pub const DEBUG: Self = Self { time: Duration::from_secs(20), ..Self::STRICT };
}

/// What one execution used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Processor time of its thread.
    pub time: Duration,
    /// The most bytes at one moment.
    pub bytes: usize,
}

impl Used {
    /// The higher of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { time: self.time.max(other.time), bytes: self.bytes.max(other.bytes) }
    }
}

/// Runs a target with one input.
///
/// # Errors
/// What is wrong: a panic, or too much time or memory.
pub fn execute(target: &Target, input: &[u8], limits: Limits) -> Result<Used, String> {
    catch_quietly();
    IS_EXECUTING.set(true);
    let (outcome, used) = guard::measured(|| panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    IS_EXECUTING.set(false);
    if let Err(panic) = outcome {
        return Err(format!("{} panics: {}", target.name, words(panic.as_ref())));
    }
    if used.time > limits.time {
        return Err(format!("{} takes {:?}, more than {:?}", target.name, used.time, limits.time));
    }
    if used.bytes > limits.bytes {
        return Err(format!("{} holds {} bytes, more than {}", target.name, used.bytes, limits.bytes));
    }
    Ok(used)
}

thread_local! {
    static IS_EXECUTING: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the place of a panic within an execution instead of printing it. A decoder of recordings may panic, because
/// its caller catches it; and libFuzzer would end the process at every panic.
fn catch_quietly() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_EXECUTING.get() {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                PLACE.with_borrow_mut(|kept| *kept = place);
            } else {
                usual(info);
            }
        }));
    });
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    format!("{} at {}", text.unwrap_or_default(), PLACE.with_borrow(String::clone))
}
