//! The disk of the spool: full, too small, and mended while precall runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use precall_store::spool::acknowledged::Mark;
use precall_store::verify::verify;
use serde_json::Value;

use crate::support::cluster::Cluster;
use crate::support::{Plan, World, caller, connect_to, incoming, until};

/// A file system of one MiB. Needs root; without it the test says that it did nothing.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(path).output();
        match mounted {
            Ok(done) if done.status.success() => Some(Self(path.to_owned())),
            outcome => {
                eprintln!("SKIPPED: no small disk can be mounted here: {outcome:?}");
                None
            }
        }
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn health(world: &World) -> Value {
    world.get("/health").await.1
}

#[actix::test]
async fn precall_starts_with_a_full_disk_and_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("small")) else { return };
    disk.fill();
    let spool = disk.0.join("spool").display().to_string();
    let mut cluster = Cluster::new().await;
    let mut world = World::at(cluster.url("postgres"), Plan::default().env("SPOOL_DIR", &spool)).await;
    let found = health(&world).await;
    assert_eq!((&found["status"], &found["spool"]), (&"degraded".into(), &"error".into()), "{found}");
    let words = found["problems"].to_string();
    assert!(words.contains("disk is full, 0 MiB are free") && words.contains(&spool), "{words}");
    let call = world.ring("pbx-1", &caller(1)).await;
    world.completed(call).await;
    disk.free();
    until("the spool is made", || async { health(&world).await["spool"] == "ok" }).await;
    // A disk of one MiB is less than SPOOL_MAX_MB promises.
    until("the small disk is named", || async {
        health(&world).await["problems"].to_string().contains("SPOOL_MAX_MB")
    })
    .await;
    let found = health(&world).await;
    let capacity = &found["capacity"];
    assert_eq!(capacity["spool_bytes"]["short"], true, "{capacity}");
    assert!(capacity["spool_free_bytes"].as_u64().unwrap() <= 1 << 20, "{capacity}");
    let (_, metrics) = world.get("/metrics").await;
    assert!(metrics.is_null() || metrics.to_string().contains("precall_spool_free_bytes"), "{metrics}");
    // Now it is needed.
    cluster.stop().await;
    until("the outage was detected", || async { health(&world).await["database"] == "error" }).await;
    let (status, answer) = world.post_3cx(&incoming("pbx-2", &caller(2))).await;
    assert!(status == 200 || answer["code"] == "cannot_keep", "{status} {answer}");
    cluster.start().await;
    world.ready().await;
    world.reconnect().await;
    world.stop().await;
}

#[actix::test]
async fn a_restored_database_says_what_it_lacks() {
    let world = World::new().await;
    let call = world.ring("pbx-1", &caller(1)).await;
    world.completed(call).await;
    let database: uuid::Uuid =
        world.client.query_one("select database from engine", &[]).await.unwrap().get(0);
    let url = world.url.clone();
    let file = world.spool().join(format!("acknowledged-{database}.json"));
    let mark = || -> Option<Mark> { serde_json::from_slice(&std::fs::read(&file).ok()?).ok() };
    let ends = || async { world.count("select last_value from event_position", &[]).await };
    until("the mark is beside the spool", || async {
        let last = world.count("select max(position) from call_events", &[]).await;
        mark().is_some_and(|mark| mark.position >= last)
    })
    .await;
    assert!(mark().unwrap().position <= ends().await);
    // As if the backup were older than the last call.
    let back = "select setval('event_position', 1)";
    world.app.stop_now().await;
    world.client.execute("truncate call_events, voice_events, call_log", &[]).await.unwrap();
    world.client.execute(back, &[]).await.unwrap();
    let lost = mark().unwrap();
    let client = connect_to(&url).await;
    let end = precall_store::reads::log_end::end(&client).await.unwrap().unwrap();
    let missing = precall_store::spool::acknowledged::missing(file.parent().unwrap(), end).unwrap();
    assert_eq!((missing.len(), missing[0].mark), (1, lost));
    assert!(missing[0].to_string().contains("up to position"), "{}", missing[0]);
    assert!(verify(&mut connect_to(&url).await).await.is_ok());
    world.simulator.stop().await;
}
