//! `precall verify`: checks that event logs and derived rows match. It changes nothing and may run beside `serve`.

use precall_store::verify::{Verified, verify};

use super::{Exit, external_database};

pub(super) async fn run() -> Exit {
    let hint = "DATABASE_URL is not set: only the service itself can reach the embedded database";
    let mut connected = match external_database("precall verify", hint).await {
        Ok(connected) => connected,
        Err(exit) => return exit,
    };
    match verify(&mut connected.client).await {
        Ok(verified) => said(&verified),
        Err(error) => {
            eprintln!("precall: the database cannot be read: {error}");
            Exit::Failed
        }
    }
}

fn said(verified: &Verified) -> Exit {
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
    if verified.breaches.is_empty() {
        println!("everything holds");
        return Exit::Good;
    }
    Exit::Failed
}
