//! Tests of the tokens that another program takes.
#![allow(clippy::indexing_slicing)] // A failing test may panic.

use super::*;

fn pauses(at: &[u64]) -> Vec<Option<u64>> {
    let mut rivalry = Rivalry::default();
    at.iter().map(|at| rivalry.revoked(Duration::from_secs(*at)).map(|pause| pause.as_secs())).collect()
}

#[test]
fn two_revocations_are_an_accident_and_three_are_not() {
    assert_eq!(pauses(&[0, 1, 2]), [None, None, Some(5)]);
    assert_eq!(pauses(&[0, 400, 3_599]), [None, None, Some(5)]);
    assert_eq!(pauses(&[0, 1_800, 3_600, 5_400]), [None; 4], "a PBX that restarts twice an hour");
}

#[test]
fn each_further_revocation_doubles_the_pause_up_to_a_limit() {
    let every_second: Vec<u64> = (0..100).collect();
    let pauses = pauses(&every_second);
    assert_eq!(pauses[2..9], [5, 10, 20, 40, 80, 160, 300].map(Some));
    assert!(pauses[9..].iter().all(|pause| *pause == Some(300)));
}
