//! Finds variables that look like ours and are not: a misspelt name is otherwise a default nobody wanted.

use super::variables::{Kind, VARIABLES};

/// What our names begin with. Names that others use as well (`HTTP_`, `AWS_`, `PG`) are not among them.
const PREFIXES: &[&str] = &[
    "AGENT_",
    "API_KEY",
    "APOLOGY_",
    "AUTO_TRANSITION",
    "CALLBACK_",
    "CALL_",
    "CLONE_",
    "CONSENT_",
    "CONVERSATION_",
    "CORS_",
    "DATABASE_",
    "DRAIN_",
    "ELEVENLABS_",
    "EMBEDDED_",
    "FALLBACK_",
    "GREETING_",
    "HANDOFF_",
    "INITIATION_",
    "LOCAL_VOICE_",
    "LOG_",
    "MAX_HOLD_",
    "MAX_LIVE_",
    "METRICS_",
    "NOTICE_",
    "OWN_NUMBER",
    "POSTCALL_",
    "PRECALL_",
    "PROMPT_",
    "RETENTION_",
    "S3_",
    "SPOOL_",
    "STORE_RECORDING",
    "THREECX_",
    "TRUSTED_",
    "VOICE_",
    "WEBHOOK_",
];

/// One sentence for each stray name.
pub(super) fn warnings<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.filter(|name| !is_known(name)).filter_map(warning).collect()
}

fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|variable| {
        let file = name.strip_suffix("_FILE");
        variable.name == name || (variable.kind == Kind::Secret && file == Some(variable.name))
    })
}

fn warning(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let near = nearest(&upper);
    let is_ours = PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    match near {
        Some(near) => {
            Some(format!("{name} is not a variable of precall and has no effect; did you mean {near}?"))
        }
        None if is_ours => Some(format!("{name} is not a variable of precall and has no effect")),
        None => None,
    }
}

/// The known name that is at most two slips away. Short names are too close to everything.
fn nearest(name: &str) -> Option<&'static str> {
    const SHORTEST: usize = 8;
    const LONGEST: usize = 64;
    const SLIPS: usize = 2;
    if !(SHORTEST..=LONGEST).contains(&name.len()) {
        return None;
    }
    VARIABLES
        .iter()
        .map(|variable| (strsim::osa_distance(name, variable.name), variable.name))
        .min()
        .filter(|(slips, _)| *slips <= SLIPS)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
