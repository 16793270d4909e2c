//! Tests of the pacer.
#![allow(clippy::cast_possible_truncation, reason = "a test may fail")]

use proptest::prelude::{ProptestConfig, any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::*;

const MS: Duration = Duration::from_millis(1);
const LEAD: Lead =
    Lead { min: Duration::from_millis(60), max: Duration::from_millis(120), tick: Duration::from_millis(20) };

#[test]
fn the_first_write_is_the_whole_lead_and_then_one_every_60_ms() {
    let began = Instant::now();
    let mut pacer = Pacer::new(LEAD);
    assert_eq!(pacer.due(began), 1920);
    pacer.wrote(began, 1920);
    let mut writes = Vec::new();
    for tick in 1..=30_u32 {
        let now = began + LEAD.tick * tick;
        let due = pacer.due(now);
        if due > 0 {
            writes.push((tick, due));
            pacer.wrote(now, due);
        }
    }
    assert_eq!(writes, (1..=10).map(|write| (write * 3, 960)).collect::<Vec<_>>());
    assert_eq!(pacer.gaps(), Gaps::default());
}

#[test]
fn a_stall_is_a_gap_and_never_a_burst() {
    let began = Instant::now();
    let mut pacer = Pacer::new(LEAD);
    pacer.wrote(began, 1920);
    let late = began + 2000 * MS;
    assert_eq!(pacer.due(late), 1920);
    assert_eq!(pacer.wrote(late, 1920), PieceTiming { starts_at: late, gap: 1880 * MS });
    assert_eq!(pacer.gaps(), Gaps { longest: 1880 * MS, over_40ms: 1, late: 1 });
    assert_eq!(pacer.ahead(late), LEAD.max);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_lead_stays_within_its_bounds_under_any_jitter(
        ticks in prop::collection::vec(0_u64..60_000, 1..400),
        blocked in prop::collection::vec(any::<u8>(), 400),
    ) {
        let began = Instant::now();
        let mut pacer = Pacer::new(LEAD);
        let mut now = began;
        let mut missed = Duration::ZERO;
        let mut written = 0;
        for (tick, blocked) in ticks.iter().zip(blocked) {
            now += Duration::from_micros(*tick);
            let due = pacer.due(now);
            prop_assert_eq!(due % 2, 0);
            if due == 0 {
                prop_assert!(pacer.ahead(now) >= LEAD.min);
                continue;
            }
            // Sometimes the socket takes the piece 5 ms later.
            now += Duration::from_micros(u64::from(blocked / 128) * 5_000);
            let timing = pacer.wrote(now, due);
            written += due;
            missed += timing.gap;
            prop_assert!(pacer.ahead(now) <= LEAD.max);
            prop_assert!(pacer.ahead(now) > LEAD.max - 6 * MS);
            // Written audio is heard audio plus audio ahead, to the sample.
            let heard = now - began - missed;
            prop_assert!(duration_of(written) >= pacer.ahead(now));
            prop_assert!(duration_of(written) - pacer.ahead(now) <= heard);
        }
    }

    #[test]
    fn there_is_no_gap_while_ticks_are_on_time(ticks in prop::collection::vec(0_u64..69_000, 1..400)) {
        let mut now = Instant::now();
        let mut pacer = Pacer::new(LEAD);
        for tick in ticks {
            now += Duration::from_micros(tick);
            let due = pacer.due(now);
            if due > 0 {
                pacer.wrote(now, due);
            }
        }
        prop_assert_eq!(pacer.gaps().longest, Duration::ZERO);
    }
}
