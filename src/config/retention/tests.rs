//! RETENTION_DAYS.
use super::{FromText, Kept};

#[test]
fn one_number_is_of_calls_and_a_list_names_kinds() {
    let read = |text| Kept::from_text(text).ok();
    assert_eq!(read("90"), Some(Kept { calls: Some(90), ..Kept::default() }));
    let all = Kept { calls: Some(365), transcripts: Some(90), recordings: Some(30), webhooks: Some(3) };
    assert_eq!(read("calls=365, transcripts=90,recordings = 30, webhooks=3"), Some(all));
    for wrong in ["1", "calls", "calls=0", "words=9", "calls=-5", "40000"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
