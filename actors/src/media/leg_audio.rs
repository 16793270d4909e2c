//! The owner's handle on one leg's audio.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::scene::Scene;
use super::shard::Door;

/// A leg's audio goes on for as long as this lives: dropping it stops the audio at once, by whatever way its owner ends.
#[must_use = "dropping it stops the audio"]
#[derive(Debug)]
pub struct LegAudio {
    desk: Arc<Desk>,
    door: Arc<Door>,
}

impl LegAudio {
    pub(super) fn new(desk: Arc<Desk>, door: Arc<Door>) -> Self {
        Self { desk, door }
    }

    /// Puts another scene in place of what is left of the present one, from the next piece on. What has been written
    /// already is heard: that is the lead, 60 to 120 ms. Of two calls in quick succession the later one wins.
    pub fn play(&self, scene: Scene) {
        *self.desk.scene.lock().unwrap_or_else(PoisonError::into_inner) = Some(scene);
        self.door.ring();
    }

    /// Panics in the leg's next tick.
    #[cfg(test)]
    pub(super) fn panic_soon(&self) {
        self.desk.panics.store(true, Ordering::Release);
    }
}

impl Drop for LegAudio {
    fn drop(&mut self) {
        self.desk.dropped.store(true, Ordering::Release);
        self.door.ring();
    }
}

/// What the owner wants. The newest wish replaces older ones, so that nothing can pile up.
#[derive(Debug, Default)]
pub(super) struct Desk {
    scene: Mutex<Option<Scene>>,
    dropped: AtomicBool,
    #[cfg(test)]
    panics: AtomicBool,
}

impl Desk {
    /// The scene asked for since the last look.
    pub(super) fn take_scene(&self) -> Option<Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the owner let go.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn takes_panic(&self) -> bool {
        self.panics.swap(false, Ordering::AcqRel)
    }
}
