//! The table of variables.
use std::collections::BTreeSet;

use super::super::kind::Kind;
use super::super::variables::DefaultValue;
use super::{Section, find, of_section, variables};

#[test]
fn every_name_is_in_the_table_once_and_in_its_section() {
    let mut names = BTreeSet::new();
    for variable in variables() {
        assert!(names.insert(variable.name), "{} is in the table twice", variable.name);
        assert!(find(variable.name).is_some());
    }
    for section in Section::ALL {
        assert!(!of_section(*section).is_empty(), "{section:?}");
        assert!(of_section(*section).iter().all(|variable| variable.section == *section), "{section:?}");
    }
    assert_eq!(find("NO_SUCH_NAME").map(|variable| variable.name), None);
}

#[test]
fn every_definition_says_what_the_documents_need() {
    for variable in variables() {
        let name = variable.name;
        assert!(variable.help.ends_with(['.', '?']), "{name} has no sentence of help");
        assert!(variable.note.is_empty() || variable.note.ends_with('.'), "{name}: the note is cut off");
        let needs_unit = matches!(variable.kind, Kind::List | Kind::Number { unit: "", .. });
        assert!(!needs_unit || !variable.unit.is_empty(), "{name} has no unit");
        let shows_default =
            matches!(variable.default, DefaultValue::Text(_) | DefaultValue::ByEnvironment { .. });
        let shows_value = shows_default || !variable.example.is_empty() || name == "API_KEYS";
        assert!(shows_value, "{name} has neither default nor example");
    }
}

#[test]
fn a_secret_has_no_default() {
    for variable in variables().filter(|variable| variable.is_secret()) {
        assert_eq!(variable.default, DefaultValue::Unset, "{}", variable.name);
    }
}
