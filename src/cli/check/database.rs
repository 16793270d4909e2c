//! The database: whether it answers, and whether it is what `serve` needs.

use precall_store::readiness::{self, State};

use super::finding::Judgement;
use super::world::World;
use crate::cli::database_look;
use crate::config::DatabaseSource;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    if let DatabaseSource::Embedded { directory } = &world.config.database.source {
        return vec![Judgement::Good(format!("embedded, in {}", directory.display()))];
    }
    let found = database_look::findings(world.config).await;
    found.into_iter().map(|finding| judged(&finding)).collect()
}

fn judged(finding: &readiness::Finding) -> Judgement {
    let words = match finding.name.strip_prefix("database ") {
        Some(need) => format!("{need}: {}", finding.words),
        None => finding.words.clone(),
    };
    match finding.state {
        State::Ok => Judgement::Good(words),
        State::Warning => Judgement::Note(words),
        State::Waiting | State::Wrong => Judgement::Wrong(words),
    }
}
