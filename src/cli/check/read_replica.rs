//! The read replica: whether it is one of this database, and how far it is behind.

use precall_store::StoreError;
use precall_store::connect::{self, DatabaseUrl, Limits};
use precall_store::reads::replica::{Replica, WalPosition};

use super::finding::Judgement;
use crate::config::{Config, DatabaseSource};

pub(super) async fn look(config: &Config) -> Vec<Judgement> {
    let Some(url) = config.database.replica.as_deref() else { return Vec::new() };
    let DatabaseSource::External(database) = &config.database.source else {
        let words = "DATABASE_READ_URL has no use: the embedded database has no replica";
        return vec![Judgement::Note(words.to_owned())];
    };
    let pool =
        |url: &DatabaseUrl| connect::pool(url, "precall check", Limits { size: 1, ..Limits::default() });
    match (pool(database), pool(url)) {
        (Ok(primary), Ok(replica)) => {
            let replica = Replica::new(primary, replica);
            vec![judge(replica.written().await, replica.replayed().await)]
        }
        // The subject `database` says it.
        (Err(_), _) => Vec::new(),
        (Ok(_), Err(error)) => vec![Judgement::Wrong(error.to_string())],
    }
}

fn judge(written: Result<WalPosition, StoreError>, replayed: Result<WalPosition, StoreError>) -> Judgement {
    let written = written.ok();
    let replayed = match replayed {
        Ok(replayed) => replayed,
        // History is read from the database then.
        Err(error) => return Judgement::Note(format!("it is not used: {error}")),
    };
    match replayed.as_replica_of(written.as_ref().map(|written| &written.of)) {
        Ok(position) => {
            let lacking =
                written.and_then(|written| written.position).map(|written| written.saturating_sub(position));
            let behind = lacking.map(|bytes| format!(", {} bytes of the log behind", bytes.max(0)));
            Judgement::Good(format!("a replica of the database{}", behind.unwrap_or_default()))
        }
        Err(error) => Judgement::Wrong(error.to_string()),
    }
}
