//! Tests of the streams against a small PBX over TCP: every byte is compared, timing is not measured.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail"
)]
#![allow(clippy::panic, reason = "a test may fail")]

mod blocked;
mod hand_over;
mod opening;
mod owner;
mod pbx;
mod playing;
mod reopening;
mod tapping;
mod tls;

use std::time::Duration;

use precall_base::clock;
use precall_providers::threecx::access_token::{AccessTokens, TokenPublisher};
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use slog::{Discard, Logger, o};

use super::clip::Clip;
use super::{Media, MediaSettings};
use crate::leg_handle::LegHandle;
use crate::playlist::{Playlist, PlaylistItem};
use owner::Owner;
use pbx::Pbx;

const MS: Duration = Duration::from_millis(1);

/// An audio service, its PBX and the source of its tokens.
struct World {
    pbx: Pbx,
    media: Media,
    desk: TokenPublisher,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut MediaSettings)) -> Self {
        Self::starting(change, |settings, tokens| {
            Media::start(settings, tokens, Logger::root(Discard, o!())).unwrap()
        })
    }

    fn starting(
        change: impl FnOnce(&mut MediaSettings),
        start: impl FnOnce(MediaSettings, AccessTokens) -> Media,
    ) -> Self {
        let pbx = Pbx::start();
        let mut settings = MediaSettings::new(format!("http://{}/", pbx.address).parse().unwrap());
        change(&mut settings);
        let (tokens, mut desk) = TokenPublisher::channel();
        desk.publish("one");
        Self { media: start(settings, tokens), pbx, desk }
    }

    fn open(&self, owner: &Owner, playlist: Playlist) -> LegHandle {
        self.media.open(leg(7), clock::now(), playlist, owner.reports.clone())
    }
}

fn leg(participant: u64) -> LegAddress {
    LegAddress { dn: Dn::new("90 0"), participant: ParticipantId(participant) }
}

/// Audio in which each sample encodes its position.
fn speech(length: Duration) -> Clip {
    let samples = length.as_millis() as usize * 8;
    Clip::from_samples(&(0..samples).map(|n| i16::try_from(n % 30_000 + 1000).unwrap()).collect::<Vec<_>>())
}

fn once(clip: &Clip) -> Playlist {
    Playlist::default().then(PlaylistItem::Once(clip.clone()))
}
