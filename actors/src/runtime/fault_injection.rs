//! Panics on demand, for the tests of isolation. In production the plan is empty and each point costs one branch.

use std::sync::{Arc, Mutex};

use precall_call::CallId;

/// Where a panic can be injected: every point in the life of an actor of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The call's actor has a message and has done nothing with it.
    CallBeforeStep,
    /// The step is taken, nothing of it is performed.
    CallAfterStep,
    /// In the middle of the effects.
    CallInEffects,
    /// The call's actor hears that events are durable.
    CallOnDurable,
    /// Its deadline fires.
    CallOnDeadline,
    /// The greeting's actor starts.
    GreetingStarts,
    /// The greeting's actor has the provider's answer.
    GreetingAnswered,
    /// The player of a live leg starts.
    PlayerStarts,
    /// The player of a live leg hears that audio flows.
    PlayerHears,
    /// The clone worker starts.
    WorkerStarts,
    /// The clone worker hears of the voice.
    WorkerAnswered,
    /// The handoff starts.
    HandoffStarts,
    /// The handoff has the provider's answer.
    HandoffAnswered,
    /// The clone job starts.
    JobStarts,
    /// The clone job's intent is durable, nothing is uploaded.
    JobBeforeUpload,
    /// The clone job has the provider's answer.
    JobAnswered,
}

impl Point {
    /// Every point.
    pub const ALL: [Self; 16] = [
        Self::CallBeforeStep,
        Self::CallAfterStep,
        Self::CallInEffects,
        Self::CallOnDurable,
        Self::CallOnDeadline,
        Self::GreetingStarts,
        Self::GreetingAnswered,
        Self::PlayerStarts,
        Self::PlayerHears,
        Self::WorkerStarts,
        Self::WorkerAnswered,
        Self::HandoffStarts,
        Self::HandoffAnswered,
        Self::JobStarts,
        Self::JobBeforeUpload,
        Self::JobAnswered,
    ];
}

/// Which points panic, and how often. A point is armed for whichever call passes it first, which then keeps it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Mutex<Vec<Armed>>>>);

#[derive(Debug)]
struct Armed {
    point: Point,
    call: Option<CallId>,
    times: u32,
}

impl Faults {
    /// A plan that can be armed.
    #[must_use]
    pub fn injectable() -> Self {
        Self(Some(Arc::default()))
    }

    /// Lets `point` panic `times` times for one call: `call`, or the first that comes by and was not hit before.
    pub fn arm(&self, point: Point, call: Option<CallId>, times: u32) {
        if let Some(plan) = &self.0 {
            plan.lock().unwrap_or_else(|e| e.into_inner()).push(Armed { point, call, times });
        }
    }

    /// Which calls met which points, for tests to know whom they hit.
    #[must_use]
    pub fn met(&self) -> Vec<(Point, CallId, u32)> {
        let Some(plan) = &self.0 else { return Vec::new() };
        let plan = plan.lock().unwrap_or_else(|e| e.into_inner());
        plan.iter().filter_map(|armed| Some((armed.point, armed.call?, armed.times))).collect()
    }

    /// Panics when the point is armed for this call.
    pub(crate) fn pass(&self, point: Point, call: CallId) {
        let Some(plan) = &self.0 else { return };
        let hit = {
            let mut plan = plan.lock().unwrap_or_else(|e| e.into_inner());
            let claimed = plan.iter().any(|armed| armed.call == Some(call));
            let armed = plan.iter_mut().find(|armed| {
                let meant = armed.call.map_or(!claimed, |c| c == call);
                armed.point == point && armed.times > 0 && meant
            });
            match armed {
                Some(armed) => {
                    armed.call = Some(call);
                    armed.times = armed.times.saturating_sub(1);
                    true
                }
                None => false,
            }
        };
        assert!(!hit, "injected panic at {point:?}");
    }
}
