//! One target, driven by libFuzzer, whose arguments it takes. `.ci/long fuzz` starts it.
//!
//! - `FUZZ_TARGET` names the target. `FUZZ_TARGET=list` prints all, with the longest input and the second folder of
//!   each.
//! - `FUZZ_UNGUIDED=60` runs changes of the inputs in the folders for 60 seconds, without libFuzzer: it finds fewer new
//!   inputs, and runs many more a second.
#![no_main]
#![allow(unsafe_code, reason = "libFuzzer calls a function by its name")]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::{abort, exit};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, io};

use libfuzzer_sys::fuzz_target;
use precall_fuzz::{Limits, Order, TARGETS, Target, Used, corpus, execute};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    Target::find(&name).unwrap_or_else(|| wrong(&format!("FUZZ_TARGET={name} is none of FUZZ_TARGET=list")))
});

/// What the dearest execution used so far.
static MOST: Mutex<Used> = Mutex::new(Used { time: Duration::ZERO, bytes: 0 });

fuzz_target!(init: begin(), |input: &[u8]| {
    match execute(*TARGET, input, Limits::STRICT) {
        Ok(used) => note(used),
        Err(finding) => {
            // libFuzzer writes the input to a file when the process is aborted.
            eprintln!("{finding}");
            abort();
        }
    }
});

/// Does what needs no libFuzzer, and ends the process then.
fn begin() {
    if env::var("FUZZ_TARGET").is_ok_and(|name| name == "list") {
        for target in &TARGETS {
            println!("{} {} {}", target.name, target.bytes_max, target.more.unwrap_or_default());
        }
        exit(0);
    }
    LazyLock::force(&TARGET);
    let Ok(seconds) = env::var("FUZZ_UNGUIDED") else { return };
    let Ok(seconds) = seconds.parse() else { wrong("FUZZ_UNGUIDED is no number of seconds") };
    match unguided(Duration::from_secs(seconds)) {
        Ok(code) => exit(code),
        Err(error) => wrong(&error.to_string()),
    }
}

fn unguided(time: Duration) -> io::Result<i32> {
    let mut inputs: Vec<Vec<u8>> = corpus(*TARGET)?.into_iter().map(|(_, input)| input).collect();
    for folder in env::args().skip(1).filter(|argument| !argument.starts_with('-')) {
        for entry in fs::read_dir(folder)? {
            let mut input = fs::read(entry?.path())?;
            input.truncate(TARGET.bytes_max);
            inputs.push(input);
        }
    }
    // Another number at each start.
    let seed = RandomState::new().build_hasher().finish();
    eprintln!("{} inputs, seed {seed}", inputs.len());
    match TARGET.run_changed(Order { inputs: &inputs, seed, time, limits: Limits::STRICT }, |_| {}) {
        Ok(done) => {
            note(done.most);
            eprintln!("executions: {}", done.executions);
            Ok(0)
        }
        Err(finding) => {
            let path = format!("{}-found", TARGET.name);
            fs::write(&path, &finding.input)?;
            eprintln!("{}\nits input is in {path}", finding.what);
            Ok(1)
        }
    }
}

fn wrong(what: &str) -> ! {
    eprintln!("{what}");
    exit(2)
}

/// Prints a new highest value. `.ci/long` takes the last one.
fn note(used: Used) {
    let mut most = MOST.lock().unwrap_or_else(PoisonError::into_inner);
    let next = most.max(used);
    if next.bytes > most.bytes / 8 * 9 || next.time > most.time / 8 * 9 {
        *most = next;
        eprintln!("most of one execution: {} bytes, {} us", next.bytes, next.time.as_micros());
    }
}
