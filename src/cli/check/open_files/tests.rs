//! Limits around what 500 calls need.

use super::*;

#[test]
fn a_limit_that_is_too_low_says_what_to_set() {
    let good = |hard| matches!(judge(500, Ok(hard)), Judgement::Good(_));
    assert!(good(3_200) && good(u64::MAX) && !good(3_199));
    let Judgement::Note(text) = judge(500, Ok(1_024)) else { panic!("not a note") };
    assert!(text.contains("the limit here is 1024") && text.contains("LimitNOFILE=3200"), "{text}");
    assert!(matches!(judge(1, Err("no".to_owned())), Judgement::Note(_)));
}
