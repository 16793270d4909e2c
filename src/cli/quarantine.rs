//! `precall quarantine`: lists what was kept out of its log, and writes it there where the log takes it.

use clap::{Subcommand, ValueEnum};
use precall_base::clock;
use precall_store::connect;
use precall_store::events::quarantine::{self, Kept, Outcome};
use serde::Serialize;
use uuid::Uuid;

use super::{Exit, external_database, external_url, unusable};

const EMBEDDED: &str = "DATABASE_URL is not set: only the service itself can reach the embedded database";
const NAME: &str = "precall quarantine";
const WHO: &str = "command line";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every entry: its id, since when, its log and number, its kind, and why it was refused
    List {
        /// How the entries are printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write entries into their logs where the logs take them. Says of each other one why not, and exits with 1
    Apply {
        /// Ids of entries, from `list`
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<Uuid>,
        /// Every entry, each log in its order
        #[arg(long)]
        all: bool,
    },
}

/// How entries are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One line each.
    #[default]
    Text,
    /// One JSON array.
    Json,
}

/// An entry of `--format json`.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    since: String,
    stream: &'a str,
    owner: Uuid,
    seq: i64,
    kind: Option<&'a str>,
    reason: &'a str,
}

impl<'a> Shown<'a> {
    fn of(kept: &'a Kept) -> Self {
        Self {
            id: kept.id,
            since: format!("{:.0}", kept.since),
            stream: &kept.stream,
            owner: kept.owner,
            seq: kept.seq,
            kind: kept.kind.as_deref(),
            reason: &kept.reason,
        }
    }
}

pub(super) async fn run(command: Command) -> Exit {
    let connected = match external_database(NAME, EMBEDDED).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    let kept = match quarantine::list(&connected.client).await {
        Ok(kept) => kept,
        Err(error) => return failed(&format!("the quarantine cannot be read: {error}")),
    };
    match command {
        Command::List { format } => {
            list(&kept, format);
            Exit::Good
        }
        Command::Apply { ids, .. } => {
            let url = match external_url(EMBEDDED) {
                Ok(url) => url,
                Err(exit) => return exit,
            };
            let pool = match connect::pool(&url, NAME, connect::Limits::default()) {
                Ok(pool) => pool,
                Err(error) => return unusable(&error),
            };
            let mut exit = Exit::Good;
            for id in chosen(&kept, &ids) {
                match quarantine::apply(&pool, id, WHO, clock::now()).await {
                    Ok(outcome) => exit = if said(id, outcome) { exit } else { Exit::Failed },
                    Err(error) => return failed(&format!("{id}: {error}")),
                }
            }
            exit
        }
    }
}

/// These entries, each log in its order; without ids all of them. An unknown id is kept, and not found later.
fn chosen(kept: &[Kept], ids: &[Uuid]) -> Vec<Uuid> {
    let all = kept.iter().map(|kept| kept.id);
    if ids.is_empty() {
        return all.collect();
    }
    let known: Vec<Uuid> = all.filter(|id| ids.contains(id)).collect();
    let unknown = ids.iter().copied().filter(|id| !known.contains(id));
    known.iter().copied().chain(unknown).collect()
}

fn list(kept: &[Kept], format: Format) {
    if format == Format::Json {
        let shown: Vec<Shown<'_>> = kept.iter().map(Shown::of).collect();
        println!("{}", serde_json::to_string_pretty(&shown).unwrap_or_default());
        return;
    }
    for kept in kept {
        let Shown { id, since, stream, owner, seq, kind, reason } = Shown::of(kept);
        println!("{id}  {since}  {stream} {owner} {seq}  {}: {reason}", kind.unwrap_or("unreadable"));
    }
    println!("{} in quarantine", kept.len());
}

/// Prints the outcome. Returns whether the entry is out of quarantine.
fn said(id: Uuid, outcome: Option<Outcome>) -> bool {
    match outcome {
        Some(Outcome::Written) => println!("ok     {id}: written"),
        Some(Outcome::WasThere) => println!("ok     {id}: its log has it already"),
        Some(Outcome::Stays(why)) => {
            println!("STAYS  {id}: {why}");
            return false;
        }
        None => {
            println!("STAYS  {id}: there is no such entry in quarantine");
            return false;
        }
    }
    true
}

fn failed(why: &str) -> Exit {
    eprintln!("precall: {why}");
    Exit::Failed
}
