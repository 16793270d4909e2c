//! The recordings that callers hear: a greeting file, and hold music from a file or an address.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use precall_audio::prompts::{FILE_BYTES_MAX, HoldOrder, decode};
use precall_call::Route;
use url::Url;

use super::finding::Judgement;
use super::world::World;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let greeting = &world.config.greeting;
    if world.config.call.route == Route::Callback {
        return Vec::new();
    }
    let mut judgements = Vec::new();
    if let Some(path) = &greeting.audio_file {
        judgements.push(file("GREETING_AUDIO_FILE", path).await);
    }
    match &greeting.hold {
        HoldOrder::File(path) => judgements.push(file("GREETING_MUSIC_URL", path).await),
        HoldOrder::Address(url) => judgements.push(address(url, world.options.within).await),
        HoldOrder::BuiltIn | HoldOrder::Silence => {}
    }
    if judgements.is_empty() {
        judgements.push(Judgement::Good("no recordings of your own are configured".to_owned()));
    }
    judgements
}

async fn file(name: &str, path: &Path) -> Judgement {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let size = std::fs::metadata(&owned).map_err(|error| error.to_string())?.len();
        if size > FILE_BYTES_MAX {
            return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
        }
        let content = std::fs::read(&owned).map_err(|error| error.to_string())?;
        decode(&Bytes::from(content)).map_err(|error| error.to_string())
    });
    let path = path.display();
    match read.await {
        Ok(Ok(clip)) => Judgement::Good(format!("{name}: {path} lasts {} s", clip.duration().as_secs())),
        Ok(Err(error)) => Judgement::Wrong(format!(
            "{name}: {path} cannot be played ({error}): correct the file or the path"
        )),
        Err(_) => Judgement::Wrong(format!("{name}: {path} cannot be decoded")),
    }
}

async fn address(url: &Url, within: Duration) -> Judgement {
    let host = url.host_str().unwrap_or_default();
    let client = awc::Client::builder().timeout(within).disable_redirects().finish();
    match client.get(url.as_str()).send().await {
        Ok(answer) if answer.status().is_success() => {
            Judgement::Good(format!("GREETING_MUSIC_URL: {host} answers"))
        }
        Ok(answer) if answer.status().is_redirection() => {
            Judgement::Note(format!("GREETING_MUSIC_URL: {host} redirects: set the address that it leads to"))
        }
        Ok(answer) => Judgement::Wrong(format!(
            "GREETING_MUSIC_URL: {host} answers {}: callers hear the bundled music. Correct the address",
            answer.status().as_u16()
        )),
        Err(error) => Judgement::Wrong(format!(
            "GREETING_MUSIC_URL: no answer from {host} ({error}): callers hear the bundled music. Correct the address"
        )),
    }
}
