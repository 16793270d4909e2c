//! Every target: its whole corpus, then a few seconds of changed inputs. `FUZZ_SECONDS` sets another time for each,
//! `FUZZ_SEED` repeats the inputs of a run. `.ci/long fuzz` runs them for hours, guided by coverage.
#![allow(clippy::unwrap_used, reason = "a failed test is a failed test")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use precall_fuzz::{Done, Finding, Limits, Mutator, Order, TARGETS, Target, corpus, execute};

/// A target that says nothing for so long hangs, also on a busy machine.
const HANGS_AFTER: Duration = Duration::from_secs(120);
/// How often a target says that it lives.
const SAYS_EVERY: Duration = Duration::from_secs(1);
const SECONDS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// What a thread that runs a target says.
enum News {
    /// It has finished an input.
    Lives(u64),
    /// It is done.
    Done(Done),
}

fn run(name: &str) {
    let target = Target::find(name).unwrap();
    let seed = number("FUZZ_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_nanos() & u128::from(u32::MAX)).unwrap()
    });
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(SECONDS));
    println!("{name}: FUZZ_SEED={seed}");
    let (says, hears) = mpsc::channel();
    let running = thread::spawn(move || inputs(target, seed, time, &says));
    let mut finished = 0;
    loop {
        match hears.recv_timeout(HANGS_AFTER) {
            Ok(News::Lives(executions)) => finished = executions,
            Ok(News::Done(Done { executions, most })) => {
                println!("{name}: {executions} executions, at most {} bytes and {:?}", most.bytes, most.time);
                break;
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("{name} hangs soon after input {finished} of FUZZ_SEED={seed}")
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

fn inputs(target: &'static Target, seed: u64, time: Duration, says: &Sender<News>) {
    let mut said = Instant::now();
    let (files, inputs): (Vec<PathBuf>, Vec<Vec<u8>>) = corpus(target).unwrap().into_iter().unzip();
    let order = Order { inputs: &inputs, seed, time, limits: Limits::DEBUG };
    let outcome = target.run_changed(order, |executions| {
        if said.elapsed() > SAYS_EVERY {
            said = Instant::now();
            says.send(News::Lives(executions)).unwrap();
        }
    });
    match outcome {
        Ok(done) => says.send(News::Done(done)).unwrap(),
        Err(Finding { what, input }) => {
            let file = inputs.iter().zip(&files).find(|(known, _)| **known == input);
            let from = file.map_or("a changed input".to_owned(), |(_, file)| file.display().to_string());
            panic!("{what}\n{from}, kept as {}", kept(target, &input))
        }
    }
}

/// Writes an input to a file and names it.
fn kept(target: &Target, input: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("found-{}", target.name));
    fs::write(&path, input).unwrap();
    path.display().to_string()
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_target_has_a_test_and_a_corpus() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            for target in &TARGETS {
                let inputs = corpus(target).unwrap();
                assert!(inputs.len() >= 3, "{} has {} inputs", target.name, inputs.len());
            }
        }
    };
}

targets! {
    signature_header pbx_webhook provider_webhook initiation_webhook pbx_event pbx_participants pbx_socket
    agent_messages agent_url callers_csv phone_number forwarded dotenv database_url spool
    bucket_versions recording
}

/// A target that fails in every way that is caught.
fn bad(input: &[u8]) {
    match input {
        b"panic" => panic!("as asked"),
        b"memory" => drop(vec![1_u8; 65 * 1024 * 1024]),
        b"time" => {
            let began = Instant::now();
            // Processor time counts, and a busy machine gives less of it.
            while began.elapsed() < Duration::from_secs(1) {}
        }
        _ => {}
    }
}

#[test]
fn a_panic_and_too_much_memory_or_time_are_found() {
    let target = Target { name: "bad", run: bad, bytes_max: 8, more: None };
    let finding = |input: &[u8], limits| execute(&target, input, limits).unwrap_err();
    let found = finding(b"panic", Limits::DEBUG);
    assert!(found.contains("as asked at"), "{found}");
    let found = finding(b"memory", Limits::DEBUG);
    assert!(found.contains("bytes, more than 67108864"), "{found}");
    let found = finding(b"time", Limits { time: Duration::from_millis(20), ..Limits::DEBUG });
    assert!(found.contains("more than 20ms"), "{found}");
    let used = execute(&target, b"", Limits::DEBUG).unwrap();
    assert!(used.bytes < 4_096, "{used:?}");
}

#[test]
fn a_seed_repeats_its_inputs() {
    let corpus = [b"one input".to_vec(), b"another".to_vec()];
    let make = |seed| {
        let mut mutator = Mutator::new(&corpus, 64, seed);
        std::iter::repeat_with(|| mutator.next_input()).take(100).collect::<Vec<_>>()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
    assert!(make(1).iter().all(|input| input.len() <= 64));
}
