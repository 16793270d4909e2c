//! `precall voices`: asks the running service to reconcile voices, or to clone voices ahead. Only the service acts on
//! the database, so the command changes nothing itself.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;

use super::Exit;
use super::service::Service;

/// Voices that are printed one by one.
const SHOWN: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compare the voices at ElevenLabs with the tables: delete unknown ones, forget missing ones
    Reconcile {
        /// Also make changes that need a confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        service: Service,
    },
    /// Clone voices of frequent callers ahead of their calls, into free slots only
    Warm {
        /// Highest number of clones
        #[arg(long, default_value_t = 10)]
        limit: usize,
        #[command(flatten)]
        service: Service,
    },
}

#[derive(Debug, Deserialize)]
struct Reconciled {
    at_provider: usize,
    known: usize,
    strays: Vec<String>,
    gone: Vec<String>,
    deleted: usize,
    not_deleted: usize,
    needs_yes: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Begun {
    wanting: usize,
    begun: usize,
}

pub(super) async fn run(command: Command) -> Exit {
    let done = match command {
        Command::Reconcile { yes, service } => {
            let answer = service.post("voices/reconcile", &json!({ "yes": yes })).await;
            answer.map(|answer| reconciled(&answer))
        }
        Command::Warm { limit, service } => {
            let answer: Result<Begun, Exit> = service.post("voices/warm", &json!({ "limit": limit })).await;
            answer.map(|Begun { wanting, begun }| {
                println!("{wanting} callers without a voice, {begun} clones started");
                Exit::Good
            })
        }
    };
    done.unwrap_or_else(|exit| exit)
}

/// Changes that need a confirmation count as something found wrong: exit code 1.
fn reconciled(answer: &Reconciled) -> Exit {
    println!(
        "{} voices of this installation at ElevenLabs, {} in the tables",
        answer.at_provider, answer.known
    );
    for (voices, what) in [(&answer.strays, "at ElevenLabs only"), (&answer.gone, "in the tables only")] {
        for voice in voices.iter().take(SHOWN) {
            println!("{voice}  {what}");
        }
        if voices.len() > SHOWN {
            println!("and {} more", voices.len().saturating_sub(SHOWN));
        }
    }
    if let Some(why) = &answer.needs_yes {
        println!("nothing was changed: {why}. Use --yes to make the changes.");
        return Exit::Failed;
    }
    println!("{} deleted, {} could not be deleted", answer.deleted, answer.not_deleted);
    if answer.not_deleted == 0 { Exit::Good } else { Exit::Failed }
}
