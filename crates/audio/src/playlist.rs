//! What a caller hears, in order.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use super::clip::Clip;

/// Names the end of a cue to whoever wrote the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(pub u32);

/// One part of a scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Silence of this length, to the sample.
    Silence(Duration),
    /// A clip, once.
    Once(Clip),
    /// A clip again and again until the scene is replaced; what follows it is never reached. An empty one is silence.
    Loop(Clip),
}

/// Cues one after the other without a gap; after the last one, silence for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    cues: Vec<(Cue, Option<Mark>)>,
}

impl Scene {
    /// Adds a cue.
    #[must_use]
    pub fn then(mut self, cue: Cue) -> Self {
        self.cues.push((cue, None));
        self
    }

    /// Adds a cue, and asks to be told when it has been heard to its end. A loop has none.
    #[must_use]
    pub fn then_marked(mut self, cue: Cue, mark: Mark) -> Self {
        self.cues.push((cue, Some(mark)));
        self
    }

    /// A cue and its mark, counted from 0.
    pub(super) fn cue(&self, number: usize) -> Option<(&Cue, Option<Mark>)> {
        self.cues.get(number).map(|(cue, mark)| (cue, *mark))
    }
}
