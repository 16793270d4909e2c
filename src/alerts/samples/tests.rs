//! Reading the page of metrics, and how counters grew.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test may stop at what it did not expect")]

use std::time::Duration;

use precall_call::At;

use super::{READINGS_MAX, Samples};

const MINUTE: Duration = Duration::from_secs(60);
const RELEASED: &str = "precall_released_calls_total";
const SOUND: &str = "precall_time_to_first_sound_seconds_bucket";

fn minute(n: i64) -> At {
    At(n * 60_000_000)
}

fn released(count: u32) -> String {
    format!(
        "# TYPE x counter\n{RELEASED}{{route=\"bridge\",cause=\"no_leg\",blame=\"pbx\"}} {count}\nother 7\n# EOF\n"
    )
}

fn grown(samples: &Samples, minutes: u32) -> f64 {
    samples.growth(RELEASED, MINUTE * minutes).map(|(_, count)| count).sum()
}

#[test]
fn labels_and_values_are_read() {
    let mut samples = Samples::default();
    samples.read(&released(3), minute(0));
    let (series, value) = samples.now(RELEASED).next().unwrap();
    assert_eq!((series.label("cause"), series.label("blame"), value), (Some("no_leg"), Some("pbx"), 3.0));
    assert_eq!((series.label("lame"), series.label("other")), (None, None));
    assert_eq!(samples.now("other").count(), 0, "what no rule names is not kept");
}

#[test]
fn growth_is_that_of_the_window() {
    let mut samples = Samples::default();
    for n in 0..20 {
        samples.read(&released(u32::try_from(n).unwrap() * 2), minute(n));
    }
    assert_eq!(grown(&samples, 5), 10.0);
    assert_eq!(grown(&samples, 60), 38.0, "since the first reading");
    samples.read("precall_queued_events 0\n", minute(20));
    assert_eq!(grown(&samples, 60), 0.0, "it is not there any more");
    samples.read(&released(4), minute(21));
    assert_eq!(grown(&samples, 2), 4.0, "what was not there begins at zero");
}

#[test]
fn a_counter_that_fell_began_anew() {
    let mut samples = Samples::default();
    samples.read(&released(50), minute(0));
    samples.read(&released(2), minute(1));
    assert_eq!(grown(&samples, 10), 2.0);
}

#[test]
fn an_hour_of_readings_is_kept() {
    let mut samples = Samples::default();
    for n in 0..500 {
        samples.read(&released(1), minute(n));
    }
    assert_eq!(samples.0.len(), 61);
    for n in 0..500 {
        samples.read(&released(1), At(minute(499).0 + n));
    }
    assert_eq!(samples.0.len(), READINGS_MAX);
}

#[test]
fn the_quantile_is_read_between_the_bounds() {
    let buckets = |fast: u32, all: u32| {
        format!(
            "{SOUND}{{le=\"1.0\"}} {fast}\n{SOUND}{{le=\"2.0\"}} {fast}\n{SOUND}{{le=\"4.0\"}} {all}\n\
            {SOUND}{{le=\"+Inf\"}} {all}\n"
        )
    };
    let mut samples = Samples::default();
    samples.read(&buckets(0, 0), minute(0));
    assert_eq!(samples.quantile(0.95, SOUND, MINUTE * 10, |_| true), None, "nothing was counted");
    samples.read(&buckets(90, 100), minute(1));
    // The 95th of 100 is in the middle of the ten between 2 and 4 seconds.
    assert_eq!(samples.quantile(0.95, SOUND, MINUTE * 10, |_| true), Some(3.0));
    assert_eq!(samples.quantile(0.5, SOUND, MINUTE * 10, |_| true).map(|seconds| seconds < 1.0), Some(true));
    samples.read(&format!("{SOUND}{{le=\"4.0\"}} 0\n{SOUND}{{le=\"+Inf\"}} 200\n"), minute(2));
    assert_eq!(samples.quantile(0.95, SOUND, MINUTE * 10, |_| true), Some(4.0), "beyond the last bound");
}
