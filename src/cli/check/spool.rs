//! The spool: the room on its disk, and what waits in it.

use precall_store::spool::room;

use super::finding::Judgement;
use super::world::World;
use crate::cli::spool_look::SpoolLook;
use crate::config::DatabaseSource;

const MIB: u64 = 1024 * 1024;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let retention = &world.config.retention;
    let (root, max) = (retention.spool_dir.clone(), retention.spool_max_bytes);
    let at = root.clone();
    let room = tokio::task::spawn_blocking(move || room::at(&at)).await;
    let mut judgements = match room {
        Ok(Ok(room)) => {
            let free = format!("{}: {} MiB are free", root.display(), room.bytes / MIB);
            vec![match room::shortage(room, 0, max) {
                None => Judgement::Good(free),
                Some(words) => Judgement::Note(format!("{}: {words}", root.display())),
            }]
        }
        // Whether it can be written says the subject `files`.
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let database = match &world.config.database.source {
        DatabaseSource::External(url) => {
            precall_store::connect::connect(url, "precall check", precall_store::connect::Limits::default())
                .await
                .ok()
        }
        DatabaseSource::Embedded { .. } => None,
    };
    // An empty database has no tables yet; what is wrong with it says its own subject.
    let look = match SpoolLook::at(root.clone(), database.as_ref()).await {
        Ok(look) => Ok(look),
        Err(_) if database.is_some() => SpoolLook::at(root, None).await,
        Err(error) => Err(error),
    };
    match look {
        Ok(look) => {
            judgements.extend(look.missing.iter().map(|missing| Judgement::Wrong(missing.to_string())));
            judgements.extend(look.waiting.iter().map(|found| match look.words(found) {
                (true, words) => Judgement::Good(words),
                (false, words) => Judgement::Note(words),
            }));
        }
        Err(error) => judgements.push(Judgement::Note(error)),
    }
    judgements
}
