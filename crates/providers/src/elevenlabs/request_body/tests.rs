//! Request bodies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use super::add_voice_body;
use crate::elevenlabs::test_server::voice;

#[test]
fn a_form_holds_no_copy_of_the_sample() {
    let voice = voice(1024);
    let forms = [add_voice_body(&voice), add_voice_body(&voice)];
    for form in forms {
        assert_eq!(form.parts()[1].as_ptr(), voice.sample.content.as_ptr());
    }
}
