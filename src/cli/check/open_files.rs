//! The limit of open files against `MAX_LIVE_CALLS`. `serve` raises its own limit to the hard one, so that one counts.

use precall_base::open_files;

use super::finding::Judgement;
use crate::config::Config;

pub(super) fn look(config: &Config) -> Vec<Judgement> {
    let hard = open_files::limits().map(|limits| limits.hard);
    vec![judge(config.call.max_live, hard.map_err(|error| error.to_string()))]
}

fn judge(live_calls: usize, hard: Result<u64, String>) -> Judgement {
    let needed = open_files::needed(live_calls);
    let need = format!("MAX_LIVE_CALLS={live_calls} needs {needed} open files");
    match hard {
        Ok(hard) if hard >= needed => Judgement::Good(format!("{need}, the limit here is {hard}")),
        // A service has its own limit: it may be higher than the one of this shell.
        Ok(hard) => Judgement::Note(format!(
            "{need}, and the limit here is {hard}. Where `precall serve` runs: {}",
            open_files::remedy(needed)
        )),
        Err(why) => {
            Judgement::Note(format!("{need}, and the system does not say how many there may be: {why}"))
        }
    }
}

#[cfg(test)]
mod tests;
