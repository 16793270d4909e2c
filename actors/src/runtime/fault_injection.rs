//! Panics on demand, for tests of isolation. In production the plan is empty and each point costs one branch.

use std::sync::{Arc, Mutex};

use precall_call::CallId;

/// Points in the life of a call's actors where a panic can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The call's actor has received a message and has not handled it.
    CallBeforeStep,
    /// The step is done, none of its effects is performed.
    CallAfterStep,
    /// In the middle of the effects.
    CallInEffects,
    /// The call's actor learns that events are durable.
    CallOnDurable,
    /// Its deadline fires.
    CallOnDeadline,
    /// The greeting's actor starts.
    GreetingStarts,
    /// The greeting's actor has the provider's answer.
    GreetingAnswered,
    /// The player of a live leg starts.
    PlayerStarts,
    /// The player of a live leg learns that audio flows.
    PlayerHears,
    /// The clone worker starts.
    WorkerStarts,
    /// The clone worker has the result for the voice.
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
    /// All points.
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

/// The points that panic, and how often. A point armed without a call is bound to the first call that passes it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Option<Arc<Mutex<Vec<Armed>>>>);

#[derive(Debug)]
struct Armed {
    point: Point,
    call: Option<CallId>,
    times: u32,
}

impl Faults {
    /// A plan that tests can arm.
    #[must_use]
    pub fn injectable() -> Self {
        Self(Some(Arc::default()))
    }

    /// Makes `point` panic `times` times for one call: `call`, or the first call to pass that no point is bound to.
    pub fn arm(&self, point: Point, call: Option<CallId>, times: u32) {
        if let Some(plan) = &self.0 {
            plan.lock().unwrap_or_else(|e| e.into_inner()).push(Armed { point, call, times });
        }
    }

    /// The calls that are bound to points, for tests to know which calls they hit.
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
