//! `precall voices`: asks the running service to reconcile voices, or to clone voices ahead. Only the service acts on
//! the database, so the command changes nothing itself.

use std::time::Duration;

use clap::Subcommand;
use precall_base::invisible::trimmed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Exit, environment, unusable};
use crate::config::{Config, Secret};

/// For a list of voices and some deletions.
const WITHIN: Duration = Duration::from_secs(70);
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Voices that are printed one by one.
const SHOWN: usize = 50;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Service {
    /// Address of the service; without it, HOST and PORT of this environment
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// File with an API key of scope admin; without it, the key is in PRECALL_API_KEY
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<std::path::PathBuf>,
}

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

#[derive(Debug, Default, Deserialize)]
struct Refused {
    #[serde(default)]
    detail: String,
}

pub(super) async fn run(command: Command) -> Exit {
    let done = match command {
        Command::Reconcile { yes, service } => {
            let answer = ask(&service, "voices/reconcile", &json!({ "yes": yes })).await;
            answer.map(|answer| reconciled(&answer))
        }
        Command::Warm { limit, service } => {
            let answer: Result<Begun, Exit> = ask(&service, "voices/warm", &json!({ "limit": limit })).await;
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

async fn ask<T: DeserializeOwned>(service: &Service, path: &str, body: &Value) -> Result<T, Exit> {
    let base = match &service.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let set = environment().map_err(|error| unusable(&error))?;
            let server = Config::server_from_map(&set).map_err(|error| unusable(&error))?;
            format!("http://{}", server.probe_address())
        }
    };
    let key = key(service)?;
    let url = format!("{base}/api/v1/{path}");
    let client = awc::Client::builder().timeout(WITHIN).finish();
    let exchange = async {
        let request = client.post(&url).bearer_auth(key.expose());
        let mut answer = request.send_json(body).await.map_err(|error| error.to_string())?;
        let text = answer.body().limit(ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((answer.status(), text))
    };
    let (status, text) = match tokio::time::timeout(WITHIN, exchange).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => return Err(failed(&format!("{url}: {error}"))),
        Err(_) => return Err(failed(&format!("{url} does not answer"))),
    };
    if status.is_success() {
        let read = serde_json::from_slice(&text);
        return read.map_err(|error| failed(&format!("{url} sent an answer that cannot be read: {error}")));
    }
    let Refused { detail } = serde_json::from_slice(&text).unwrap_or_default();
    Err(failed(&format!("{url} answers {}: {detail}", status.as_u16())))
}

fn key(service: &Service) -> Result<Secret, Exit> {
    let text = match &service.key_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| unusable(&format!("--key-file {}: {error}", file.display())))?,
        None => std::env::var("PRECALL_API_KEY").unwrap_or_default(),
    };
    read_key(&text).map_err(|why| unusable(&why))
}

/// The key in a text, without spaces and a byte order mark around it.
fn read_key(text: &str) -> Result<Secret, &'static str> {
    let key = trimmed(text);
    if key.is_empty() {
        return Err("give a key with the scope admin: --key-file FILE, or PRECALL_API_KEY");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the key has a space, or a character that nobody sees: copy it again");
    }
    Ok(Secret::new(key))
}

fn failed(why: &str) -> Exit {
    eprintln!("precall: {why}");
    Exit::Failed
}

#[cfg(test)]
mod tests;
