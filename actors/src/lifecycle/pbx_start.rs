//! Starts at the PBX: hold music for the legs of the last start comes first, long before their calls are read back.

use std::sync::Arc;
use std::time::Duration;

use precall_audio::playlist::{Playlist, PlaylistItem};
use precall_audio::prompts::PromptMaker;
use slog::{info, warn};

use super::recovery::{LateFeed, Recovery, ReservedFeed};
use crate::durability::leadership::EngineRole;
use crate::pbx::pbx_feed::{FeedSettings, PbxFeed};

/// Time limit for reading the recording of the hold music. Then the bundled music plays.
const HOLD_WITHIN: Duration = Duration::from_millis(300);

impl Recovery {
    /// Starts the feed at once if an engine on this host acted a moment ago: its callers are on the line.
    pub(super) async fn succeed_at_pbx(&self, late: &mut LateFeed) {
        if late.is_started() {
            return;
        }
        self.prepare_hold_music().await;
        let Some(acted) = &self.last_acted else { return };
        if acted.succeeds().await {
            info!(
                self.services.log,
                "an engine on this host acted a moment ago: its callers hear hold music"
            );
            late.is_successor = true;
            self.services.persistence_state.leadership().go_on_at_pbx(true);
            self.start_feed(late);
        }
    }

    pub(super) async fn prepare_hold_music(&self) {
        let settings = self.settings();
        let (Some(leg), Some(side)) = (&settings.live_leg, &self.services.pbx) else { return };
        let maker = PromptMaker::new(self.services.clients.here().bulk.clone(), leg.prompts.clone());
        let order = (leg.prompt_order)(&settings.default_line);
        match tokio::time::timeout(HOLD_WITHIN, maker.local_hold(&order)).await {
            Ok(clip) => side.held.set_music(Playlist::default().then(PlaylistItem::Loop(clip))),
            Err(_) => warn!(self.services.log, "the recording of the hold music cannot be read in time"),
        }
    }

    /// Starts the feed, unless it was started. From now on this process marks that it acts.
    pub(super) fn start_feed(&self, late: &mut LateFeed) {
        if let Some(feed) = late.feed.take() {
            let ReservedFeed { reserved, settings, tokens, desk, state, pace, inherited } = feed;
            let feed = FeedSettings {
                settings,
                tokens,
                token_publisher: desk,
                inherited,
                news: late.supervisor.clone().recipient(),
                synced: late.supervisor.clone().recipient(),
                state,
                persistence_state: Arc::clone(&self.services.persistence_state),
                pace,
                log: self.services.log.clone(),
            };
            let home = actix::Arbiter::current();
            reserved.start_vital(&home, &self.services.vital, move |_| PbxFeed::new(feed));
            self.mark_acting();
        }
    }

    fn mark_acting(&self) {
        if let Some(acted) = self.last_acted.clone() {
            let state = self.services.persistence_state.clone();
            let acts = move || match state.leadership().now() {
                EngineRole::Unknown | EngineRole::Standby | EngineRole::Acting(_) => true,
                EngineRole::Left | EngineRole::Superseded => false,
            };
            actix::spawn(acted.keep_marked(acts, self.services.log.clone()));
        }
    }
}

impl LateFeed {
    fn is_started(&self) -> bool {
        self.feed.is_none()
    }
}
