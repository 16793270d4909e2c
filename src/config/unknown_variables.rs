//! Finds unknown variables that look like precall's: a misspelt name would silently leave the default in force.

use super::table::variables;
use super::variables::Variable;

/// First words of names that other programs use as well. Such a name gives a prefix of two words.
const COMMON: &[&str] = &[
    "API", "AUTO", "AWS", "CACHE", "DEFAULT", "HTTP", "LOCAL", "MAX", "OTEL", "OWN", "PG", "PIN", "SOURCE",
    "STORE",
];
/// Names that begin so belong to other programs, except those in the table.
const FOREIGN: &str = "AWS_";
/// No variable begins with the program's own name, but people try it.
const OWN: &str = "PRECALL_";

/// One sentence for each unknown name.
pub(super) fn warnings<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.filter(|name| !is_known(name)).filter_map(warning).collect()
}

fn is_known(name: &str) -> bool {
    variables().any(|variable| {
        let file = name.strip_suffix("_FILE");
        variable.name == name || (variable.is_secret() && file == Some(variable.name))
    })
}

fn warning(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let looks_like_ours =
        upper.starts_with(OWN) || variables().any(|variable| shares_prefix(&upper, variable));
    match nearest(&upper) {
        Some(near) => {
            Some(format!("{name} is not a variable of precall and has no effect; did you mean {near}?"))
        }
        None if looks_like_ours => Some(format!("{name} is not a variable of precall and has no effect")),
        None => None,
    }
}

/// Whether the name begins as the variable's name does: `CALL_` of `CALL_ROUTE`, `MAX_LIVE_` of `MAX_LIVE_CALLS`.
fn shares_prefix(name: &str, variable: &Variable) -> bool {
    let known = variable.name;
    let mut ends = known.match_indices('_').map(|(at, _)| at);
    let Some(first) = ends.next() else { return false };
    let is_common = known.get(..first).is_some_and(|word| COMMON.contains(&word));
    let end = if is_common { ends.next() } else { Some(first) };
    let prefix = match end {
        Some(end) => known.get(..=end).unwrap_or(known),
        // A name of two common words is its own prefix, in the singular: `OWN_NUMBER`.
        None => known.trim_end_matches('S'),
    };
    !known.starts_with(FOREIGN) && name.starts_with(prefix)
}

/// The known name that is at most two typing errors away. Short names are too close to every other name.
fn nearest(name: &str) -> Option<&'static str> {
    const SHORTEST: usize = 8;
    const LONGEST: usize = 64;
    const ERRORS: usize = 2;
    if !(SHORTEST..=LONGEST).contains(&name.len()) {
        return None;
    }
    variables()
        .map(|variable| (strsim::osa_distance(name, variable.name), variable.name))
        .min()
        .filter(|(errors, _)| *errors <= ERRORS)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
