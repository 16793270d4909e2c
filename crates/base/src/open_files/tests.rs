//! The descriptors of this test process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn more_calls_need_more_descriptors_and_no_number_overflows() {
    assert_eq!(needed(0), 200);
    assert_eq!(needed(1), 206);
    assert_eq!(needed(500), 3_200);
    assert!(needed(usize::MAX) > needed(100_000));
    assert!(remedy(needed(500)).contains("LimitNOFILE=3200"));
}

#[test]
fn a_new_descriptor_is_counted() {
    let Open::Count(before) = open() else { return };
    let files: Vec<fs::File> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let Open::Count(with) = open() else { panic!("the list is gone") };
    // Other tests of this process open files as well.
    assert!(with >= 50 && with + 20 > before + 50, "{before} before, {with} with {}", files.len());
}

#[test]
fn the_soft_limit_becomes_the_hard_one() {
    let (before, after) = raise().unwrap();
    assert_eq!((after.hard, after.soft), (before.hard, before.hard));
    assert_eq!(raise().unwrap(), (after, after), "a second time changes nothing");
}
