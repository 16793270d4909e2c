//! Tests of moments.

use super::*;
use crate::clock;

#[test]
fn of_two_clocks_the_one_counts_on_which_more_time_has_passed() {
    let moment =
        |uptime, wall: i64| Moment { uptime: Duration::from_secs(uptime), wall: At(wall * 1_000_000) };
    let begun = moment(100, 1_700_000_000);
    for (uptime, wall, passed) in [(103, 1_700_000_003, 3), (103, 1_600_000_000, 3), (100, 1_700_000_060, 60)]
    {
        assert_eq!(moment(uptime, wall).since(begun), Duration::from_secs(passed), "{uptime} {wall}");
    }
    let (first, second) = (clock::moment(), clock::moment());
    assert!(first.uptime > Duration::ZERO && second.uptime >= first.uptime);
}
