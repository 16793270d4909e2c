//! Tests of the list of subjects.

use super::subjects;
use crate::config::{Kind, Probed, variables};

/// A number and a fixed word name nothing; everything else may, so its definition says how it is looked at.
#[test]
fn each_variable_that_names_a_thing_in_the_world_has_a_probe_or_a_reason() {
    let subjects = subjects();
    let mut undecided = Vec::new();
    let mut probed = 0;
    for variable in variables() {
        match (variable.probed, variable.kind) {
            (Probed::Undecided, Kind::Number { .. } | Kind::OneOf(_)) | (Probed::Nothing, _) => {}
            (Probed::Undecided, _) => undecided.push(variable.name),
            (Probed::By(subject), _) => {
                probed += 1;
                assert!(subjects.contains(&subject), "{}: no subject `{subject}`", variable.name);
            }
            (Probed::Cannot(reason), _) => assert!(reason.len() > 20, "{}: {reason}", variable.name),
        }
    }
    assert_eq!(undecided, [] as [&str; 0], "say in the definition how `precall check` looks at them");
    assert!(probed > 25, "{probed}");
    // A secret, an address or a path is never `Nothing`.
    for variable in variables().filter(|variable| variable.probed == Probed::Nothing) {
        assert!(!variable.is_secret(), "{}", variable.name);
        let is_place =
            ["_URL", "_DIR", "_FILE", "_PATH", "_ID", "_BASE"].iter().any(|end| variable.name.ends_with(end));
        assert!(!is_place, "{}", variable.name);
    }
}
