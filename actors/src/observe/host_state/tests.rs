//! Looks at a host, one after the other.
#![allow(clippy::indexing_slicing, reason = "a failing test may panic")]

use super::*;

fn seen(clock_ahead: i64, files: Open) -> Seen {
    Seen { clock_ahead, files_max: Some(4_000), files }
}

const FEW: Open = Open::Count(90);

#[test]
fn a_clock_that_is_set_is_a_problem_until_both_agree() {
    for (ahead, words) in [(3_600, "3600 s ahead of"), (-3_600, "3600 s behind"), (5, "5 s ahead of")] {
        let mut host = HostState::new(500);
        assert_eq!(host.look(seen(4, FEW), At(1)), [], "within what NTP does all the time");
        assert_eq!(host.problems(), []);
        assert_eq!(host.look(seen(ahead, FEW), At(2)), [News::ClockOff]);
        assert_eq!(host.look(seen(ahead - ahead.signum(), FEW), At(3)), [], "it is said once");
        let problems = host.problems();
        assert_eq!((problems.len(), problems[0].0), (1, At(2)), "since it was first seen");
        host.look(seen(ahead, FEW), At(4));
        assert!(host.problems()[0].1.contains(words), "{}", host.problems()[0].1);
        assert_eq!(host.look(seen(1, FEW), At(5)), [News::ClockAgrees]);
        assert_eq!(host.problems(), []);
    }
}

#[test]
fn descriptors_that_run_out_are_a_problem_with_what_to_set() {
    for (files, words) in [
        (Open::Count(3_601), "3601 of 4000"),
        (Open::Count(4_000), "4000 of 4000"),
        (Open::UsedUp, "all 4000"),
    ] {
        let mut host = HostState::new(500);
        assert_eq!(host.look(seen(0, Open::Count(3_600)), At(1)), []);
        assert_eq!(host.look(seen(0, files), At(2)), [News::FilesShort]);
        assert_eq!(host.look(seen(0, files), At(3)), []);
        let problems = host.problems();
        let is_said = problems[0].1.contains(words) && problems[0].1.contains("LimitNOFILE=3200");
        assert!(problems[0].0 == At(2) && is_said, "{problems:?}");
        assert_eq!(host.look(seen(0, FEW), At(4)), [News::FilesEnough]);
        assert_eq!(host.problems(), []);
    }
}

#[test]
fn a_limit_below_what_max_live_calls_needs_is_a_problem_from_the_start() {
    let mut host = HostState::new(2_000);
    assert_eq!(host.look(seen(0, FEW), At(1)), [], "the start says it in the log");
    let words = &host.problems()[0].1;
    assert!(words.contains("MAX_LIVE_CALLS=2000 needs 12200 open files, the limit is 4000"), "{words}");
    let unknown = Seen { clock_ahead: 0, files_max: None, files: Open::Unknown };
    host.look(unknown, At(2));
    assert_eq!(host.problems(), [], "a system that does not say has no limit that precall knows");
}
