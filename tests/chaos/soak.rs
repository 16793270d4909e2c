//! The soak: an hour of calls with a fault now and then. No call fails without a fault, and the memory does not grow.
//!
//! It runs only when `CHAOS_SOAK_SECONDS` says for how long: `.ci/long soak`.

use std::time::{Duration, Instant};

use precall_test_support::harness::usage;

use crate::plan::{Pace, Plan};
use crate::report;
use crate::run::Attack;
use crate::settings::{Settings, number};
use crate::site::Route;
use crate::support::lasting;
use crate::table::Fault;

/// From the end of a fault to the first sample. A fault makes the memory larger by a few MiB for as long as it lasts
/// and some time after it: requests wait, calls wait, the allocator gives pages back later. That is no growth.
const SETTLES: Duration = Duration::from_secs(40);
/// The samples between two faults. They are taken over 20 s, because calls come and go.
const SAMPLES_IN_A_CALM: usize = 5;
const SAMPLED_EVERY: Duration = Duration::from_secs(4);
/// Caches fill, and the allocator finds its size.
const WARM: Duration = Duration::from_secs(600);
/// In less time noise is larger than the limit.
const JUDGED_AFTER: Duration = Duration::from_secs(1_800);
const GROWS_AT_MOST_KB_AN_HOUR: f64 = 1_024.0;

/// What precall's memory is at one moment, in KiB.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Seconds since the soak began.
    at: f64,
    resident: f64,
    /// The part that is not backed by files.
    anonymous: f64,
}

/// The slope of the line through the samples, by least squares, in KiB an hour.
fn slope_an_hour(samples: &[(f64, f64)]) -> f64 {
    let count = samples.iter().map(|_| 1.0).sum::<f64>();
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let (mut both, mut square) = (0.0, 0.0);
    for (x, y) in samples {
        both += (x - mean_x) * (y - mean_y);
        square += (x - mean_x) * (x - mean_x);
    }
    if square == 0.0 { 0.0 } else { both / square * 3_600.0 }
}

/// Waits until the last fault is over, and takes the samples that come before the next one. There are fewer when the
/// soak ends first.
async fn calm(pid: u32, begun: Instant, lasts: Duration) -> Vec<Sample> {
    let left = || lasts.saturating_sub(begun.elapsed());
    lasting(SETTLES.min(left())).await;
    let mut samples = Vec::new();
    while samples.len() < SAMPLES_IN_A_CALM && !left().is_zero() {
        lasting(SAMPLED_EVERY.min(left())).await;
        let memory = usage::memory(pid).expect("the service runs");
        let kilobytes = |kilobytes| f64::from(u32::try_from(kilobytes).unwrap());
        samples.push(Sample {
            at: begun.elapsed().as_secs_f64(),
            resident: kilobytes(memory.resident),
            anonymous: kilobytes(memory.anonymous),
        });
    }
    samples
}

#[actix::test]
async fn an_hour_of_calls_fails_only_by_faults_and_does_not_grow() {
    let Some(seconds) = number("CHAOS_SOAK_SECONDS") else {
        println!("SKIPPED: the soak runs only when CHAOS_SOAK_SECONDS says for how long (`.ci/long soak`)");
        return;
    };
    let lasts = Duration::from_secs(seconds);
    let settings = Settings { is_long: true, lasts, ..Settings::asked_for() };
    // A new process would have another memory.
    let mut faults = Fault::all();
    faults.retain(|fault| fault.concerns(Route::Bridge) && !matches!(fault, Fault::Precall(_)));
    let mut plan = Plan::new(settings.seed, faults, Pace { in_pairs: false, ..Pace::LONG });
    let mut attack = Attack::prepare(Route::Bridge, settings).await;
    let pid = attack.site.service.usage().pid;
    let mut samples = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        samples.extend(calm(pid, begun, lasts).await);
        attack.round(&plan.round()).await;
    }
    attack.wind_down().await;
    report::print(&attack);

    let warm = WARM.min(lasts / 4).as_secs_f64();
    let slope = print_memory(&samples, warm);
    let broken: Vec<String> = attack
        .stop()
        .await
        .violations()
        .iter()
        .map(|it| format!("round {}: {}: {}", it.round, it.law.name(), it.detail))
        .collect();
    assert!(broken.is_empty(), "{} laws were broken:\n{}", broken.len(), broken.join("\n"));
    if lasts - WARM.min(lasts) < JUDGED_AFTER {
        println!(
            "NOT JUDGED: the growth of memory is judged from {JUDGED_AFTER:?} after the first {WARM:?} on"
        );
        return;
    }
    assert!(slope < GROWS_AT_MOST_KB_AN_HOUR, "the memory grows by {slope:.0} KiB an hour");
}

/// Prints the least memory of each ten minutes, and returns the growth of the resident memory after `warm` seconds, in
/// KiB an hour.
fn print_memory(samples: &[Sample], warm: f64) -> f64 {
    println!(
        "| minutes | samples between faults | least resident, KiB | least anonymous, KiB |\n|---|---|---|---|"
    );
    for tenth in 0..7 {
        let (from, to) = (f64::from(tenth) * 600.0, f64::from(tenth + 1) * 600.0);
        let then: Vec<&Sample> = samples.iter().filter(|sample| (from..to).contains(&sample.at)).collect();
        if !then.is_empty() {
            let least = |of: fn(&Sample) -> f64| then.iter().map(|it| of(it)).fold(f64::INFINITY, f64::min);
            println!(
                "| {} to {} | {} | {:.0} | {:.0} |",
                tenth * 10,
                tenth * 10 + 10,
                then.len(),
                least(|it| it.resident),
                least(|it| it.anonymous)
            );
        }
    }
    let slope = |of: fn(&Sample) -> f64| {
        let warm = samples.iter().filter(|sample| sample.at > warm);
        slope_an_hour(&warm.map(|sample| (sample.at, of(sample))).collect::<Vec<_>>())
    };
    let (resident, anonymous) = (slope(|it| it.resident), slope(|it| it.anonymous));
    println!(
        "\nGrowth after {warm:.0} s by linear regression: {resident:.0} KiB an hour resident, {anonymous:.0} of them \
         anonymous.\n"
    );
    resident
}

#[test]
fn a_slope_is_found_under_noise() {
    let line = |slope: f64| -> Vec<(f64, f64)> {
        let noise = [3.0, -5.0, 2.0].into_iter().cycle();
        (0..600)
            .zip(noise)
            .map(|(n, noise)| (f64::from(n), 50_000.0 + noise + f64::from(n) * slope))
            .collect()
    };
    assert!((slope_an_hour(&line(1.0)) - 3_600.0).abs() < 10.0);
    assert!(slope_an_hour(&line(0.0)).abs() < 10.0);
}
