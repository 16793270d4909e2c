//! The table of variables.
use super::VARIABLES;

#[test]
fn names_are_unique() {
    for (index, variable) in VARIABLES.iter().enumerate() {
        let again = VARIABLES.iter().skip(index.saturating_add(1)).any(|other| other.name == variable.name);
        assert!(!again, "{} is in the table twice", variable.name);
    }
}
