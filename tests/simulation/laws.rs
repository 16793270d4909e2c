//! What must be true at the end.

use std::collections::BTreeSet;

use crate::engine::Engine;

use crate::world::World;

impl World {
    pub(crate) fn everything_ended(&mut self) {
        let acting: Vec<&Engine> = self.engines.iter().flatten().filter(|e| e.generation.is_some()).collect();
        assert_eq!(acting.len(), 1, "exactly one leader at the end");
        let engine = acting[0];
        assert_eq!(engine.generation, Some(self.database.generation));
        assert!(
            engine.write_path.is_idle() && !engine.write_path.is_spooling(),
            "an event still waits for the database"
        );
        assert!(engine.spool.is_empty(), "the spool is not empty");
        let unsettled = engine.calls.iter().next().map(|(id, live)| (id, live.call.phase, live.parts));
        assert_eq!(unsettled, None, "a call is not settled");
        for (owner, seq) in &self.promised {
            let is_there = self.database.event(*owner, *seq).is_some();
            let is_apart = self.database.quarantined.iter().any(|(o, s, _)| (o, s) == (owner, seq));
            assert!(is_there || is_apart, "event {seq} of {owner} was acknowledged and is lost");
        }
        let known: BTreeSet<u64> = self.database.logs.values().map(|logged| logged.pbx).collect();
        for pbx in &self.promised_ends {
            let is_there = known.contains(pbx) || self.database.early_ends.contains(pbx);
            assert!(is_there, "the end of {pbx} was acknowledged and is lost");
        }
        let mut seen = BTreeSet::new();
        for (id, logged) in &self.database.logs {
            // The leader may not know a call that was written late, so it may have accepted the same call again.
            if self.database.late.contains(id) {
                continue;
            }
            assert!(seen.insert(logged.pbx), "{} has two calls, {id} is one", logged.pbx);
            assert!(logged.call.is_released(), "call {id} is not over: {:?}", logged.call.phase);
        }
        let conflicts = self.database.quarantined.iter().filter(|(_, _, why)| *why != "late");
        assert_eq!(conflicts.count(), 0, "{:?}", self.database.quarantined);
    }
}
