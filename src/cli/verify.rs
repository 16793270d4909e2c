//! `precall verify`: checks that event logs and derived rows match, and what the spool says is missing. It changes
//! nothing and may run beside `serve`.

use precall_store::verify::{Verified, verify};

use super::spool_look::SpoolLook;
use super::{Exit, environment, external_database, unusable};
use crate::config::Config;

pub(super) async fn run() -> Exit {
    let hint = "DATABASE_URL is not set: only the service itself can reach the embedded database";
    let mut connected = match external_database("precall verify", hint).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    let spool_dir = match environment().and_then(|set| Config::spool_dir_from_map(&set)) {
        Ok(spool_dir) => spool_dir,
        Err(error) => return unusable(&error),
    };
    let verified = match verify(&mut connected.client).await {
        Ok(verified) => verified,
        Err(error) => {
            eprintln!("precall: the database cannot be read: {error}");
            return Exit::Failed;
        }
    };
    // After the database: what leaves the spool meanwhile is in it.
    let spool = SpoolLook::at(spool_dir, Some(&connected)).await;
    said(&verified, spool)
}

fn said(verified: &Verified, spool: Result<SpoolLook, String>) -> Exit {
    println!(
        "{} calls offered: {} live, {} released; {} events played back; {} clone jobs",
        verified.offered, verified.live, verified.released, verified.events, verified.jobs
    );
    if let Some(head) = &verified.consents_head {
        println!("{} records of consents, last hash {head}", verified.consents);
    }
    if verified.unreadable > 0 {
        println!(
            "{} calls were closed because their log could not be read; they are not checked",
            verified.unreadable
        );
    }
    for breach in &verified.breaches {
        println!("WRONG  {}: {} {}", breach.rule, breach.owner, breach.detail);
    }
    if verified.more > 0 {
        println!("WRONG  and {} more", verified.more);
    }
    if said_of_spool(spool) && verified.breaches.is_empty() {
        println!("everything holds");
        return Exit::Good;
    }
    Exit::Failed
}

/// Prints what the spool says. Returns whether this database lacks nothing. What waits in the spool is not lost.
fn said_of_spool(spool: Result<SpoolLook, String>) -> bool {
    let spool = match spool {
        Ok(spool) => spool,
        Err(error) => {
            println!("not looked at: {error}");
            return true;
        }
    };
    for found in &spool.waiting {
        println!("waits  {}", spool.words(found).1);
    }
    for missing in &spool.missing {
        println!("WRONG  no acknowledged event is missing: {missing}");
    }
    spool.missing.is_empty()
}
