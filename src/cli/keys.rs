//! `precall keys`: keys of the API. `new` makes one for API_KEYS and stores nothing; the others ask the service.

use std::time::Duration;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Exit;
use super::service::{Output, Service, in_url, now, read};
use super::table::Table;
use crate::config::{ApiKeys, Scopes, new_key};
use crate::span::span;

/// Keys in one list.
const MOST: usize = 2_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key for API_KEYS, and print it once with its entry. Nothing is stored.
    New {
        /// Name of the user; appears in logs and in the audit log.
        #[arg(long, default_value = "operator")]
        name: String,
        /// One or more of read, pii, voice, listen, operate and admin, joined by +.
        #[arg(long, default_value = "read", value_parser = scopes)]
        scope: Scopes,
    },
    /// Make a key in the database, and print it once. It can be used at once.
    Create {
        /// Its name in logs and in the audit log; never used before.
        #[arg(long)]
        name: String,
        /// Who has it, for people.
        #[arg(long)]
        owner: Option<String>,
        /// One or more of read, pii, voice, listen, operate and admin, joined by +.
        #[arg(long, default_value = "read", value_parser = scopes)]
        scope: Scopes,
        /// How long it can be used, like 12h or 90d; without it until it is revoked.
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Option<Duration>,
        /// An address or CIDR block that may use it; can be given several times. Without it any address.
        #[arg(long = "address", value_name = "CIDR")]
        addresses: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
    /// List the keys: those of the database, those of API_KEYS, and the secrets of webhooks with their last use.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a key of the database, by its name or id. It counts within 5 s, also at other nodes.
    Revoke {
        /// Name or id, as `precall keys list` shows it
        key: String,
        #[command(flatten)]
        service: Service,
    },
}

fn scopes(text: &str) -> Result<Scopes, String> {
    Scopes::of_names(text.split('+'))
        .map_err(|_| format!("must be one or more of {}, joined by +", crate::config::Scope::names()))
}

pub(super) async fn run(command: Command) -> Exit {
    let outcome = match command {
        Command::New { name, scope } => return make(&name, scope),
        Command::Create { name, owner, scope, lasts, addresses, output } => {
            let expires_at = lasts.and_then(|lasts| now().checked_add(lasts).ok());
            let order = json!({ "name": name, "owner": owner, "scopes": scope.names(), "addresses": addresses,
                "expires_at": expires_at });
            create(&output, &order).await
        }
        Command::List { output } => list(&output).await,
        Command::Revoke { key, service } => revoke(&service, &key).await,
    };
    outcome.err().unwrap_or(Exit::Good)
}

fn make(name: &str, scopes: Scopes) -> Exit {
    let key = new_key();
    let Some(entry) = ApiKeys::entry(name, scopes, &key) else {
        eprintln!("precall: --name may have 1 to 40 letters, digits, - _ . @");
        return Exit::Unusable;
    };
    println!("key:      {key}");
    println!("API_KEYS: {entry}");
    Exit::Good
}

async fn create(output: &Output, order: &Value) -> Result<(), Exit> {
    let made: Value = output.service.post("keys", order).await?;
    if output.json {
        println!("{made}");
    } else {
        println!("key: {}", made.get("key").and_then(Value::as_str).unwrap_or_default());
        println!("It is shown only now. `precall keys revoke` ends it.");
    }
    Ok(())
}

/// What the list shows of a key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Key {
    id: String,
    name: String,
    owner: Option<String>,
    scopes: Vec<String>,
    addresses: Vec<String>,
    state: String,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

/// When a secret of a webhook was last used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WebhookSecret {
    webhook: String,
    secret: String,
    last_used_at: Option<Timestamp>,
}

async fn list(output: &Output) -> Result<(), Exit> {
    let stored = output.service.list("keys", "", MOST).await?;
    let first: Value = output.service.get("keys?limit=1").await?;
    let configured = first.get("configured").cloned().unwrap_or_default();
    if output.json {
        let secrets = first.get("webhook_secrets");
        println!("{}", json!({ "items": stored, "configured": configured, "webhook_secrets": secrets }));
        return Ok(());
    }
    let secrets: Vec<WebhookSecret> = read(first.get("webhook_secrets").cloned().unwrap_or_default())?;
    let mut keys: Vec<Key> = read(configured)?;
    for key in &mut keys {
        key.state = "in API_KEYS".to_owned();
    }
    keys.extend(read::<Vec<Key>>(Value::Array(stored))?);
    print!("{}", shown(&keys));
    if !secrets.is_empty() {
        let mut table = Table::new(["WEBHOOK", "SECRET", "LAST USED SINCE THE START"]);
        for WebhookSecret { webhook, secret, last_used_at } in secrets {
            table.row([webhook, secret, time(last_used_at)]);
        }
        print!("\n{table}");
    }
    Ok(())
}

fn time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{time:.0}"))
}

fn shown(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "There is no key.\n".to_owned();
    }
    let head = ["NAME", "STATE", "SCOPES", "LAST USED", "EXPIRES", "ADDRESSES", "OWNER", "ID"];
    let mut table = Table::new(head);
    for key in keys {
        let addresses = if key.addresses.is_empty() { "any".to_owned() } else { key.addresses.join(" ") };
        table.row([
            key.name.clone(),
            key.state.clone(),
            key.scopes.join("+"),
            time(key.last_used_at),
            time(key.expires_at),
            addresses,
            key.owner.clone().unwrap_or_default(),
            key.id.clone(),
        ]);
    }
    table.to_string()
}

async fn revoke(service: &Service, key: &str) -> Result<(), Exit> {
    let stored: Vec<Key> = read(Value::Array(service.list("keys", "", MOST).await?))?;
    let named = stored.iter().find(|stored| stored.id == key || stored.name == key);
    let id = named.map_or(key, |stored| &stored.id);
    service.delete(&format!("keys/{}", in_url(id))).await?;
    println!("Revoked.");
    Ok(())
}
