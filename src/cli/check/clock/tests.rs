//! Tests of the clock's judgement.

use super::*;

#[test]
fn a_wrong_clock_is_named_with_seconds_and_direction() {
    let seen = |ours| judge(SeenClock { of: "3CX", theirs: 10_000, ours });
    assert!(matches!(seen(10_004), Judgement::Good(_)));
    assert!(matches!(seen(9_990), Judgement::Note(text) if text.contains("10 s behind the clock of 3CX")));
    assert!(
        matches!(seen(10_060), Judgement::Wrong(text) if text.contains("60 s ahead of the clock of 3CX"))
    );
}
