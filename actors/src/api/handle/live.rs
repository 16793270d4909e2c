//! The live calls, from memory.

use super::EngineHandle;
use crate::call::live_board::{Board, LiveCall};

impl EngineHandle {
    /// All live calls, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveCall> {
        self.services.board.live()
    }

    /// The board of live calls and of calls that ended a moment ago.
    #[must_use]
    pub fn board(&self) -> Board {
        self.services.board.clone()
    }
}
