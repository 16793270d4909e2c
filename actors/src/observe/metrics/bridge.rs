//! Metrics of legs and conversations on the bridge: lost agents, silence, dropped audio, dead streams.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use precall_call::{AudioHeard, Call, Event};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabel {
    why: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabel {
    turn: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TowardsLabel {
    to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabel {
    stream: &'static str,
}

type Seconds = Counter<f64, AtomicU64>;

/// Metrics of conversations on the bridge.
#[derive(Default)]
pub(crate) struct BridgeMetrics {
    lost: Family<LossLabel, Counter>,
    silence: Family<TurnLabel, Seconds>,
    dropped: Family<TowardsLabel, Seconds>,
    silent: Family<StreamLabel, Counter>,
}

impl BridgeMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        all.register_with_unit(
            "lost",
            "Agents lost during a conversation",
            Unit::Other("agents".to_owned()),
            self.lost.clone(),
        );
        all.register_with_unit(
            "silence",
            "Silence in conversations on the bridge, by whose turn it was to speak",
            Unit::Seconds,
            self.silence.clone(),
        );
        all.register_with_unit(
            "dropped_audio",
            "Audio of conversations on the bridge dropped because it was too old or too much",
            Unit::Seconds,
            self.dropped.clone(),
        );
        all.register_with_unit(
            "silent",
            "Audio streams of legs that were open but dead, and were opened again",
            Unit::Other("streams".to_owned()),
            self.silent.clone(),
        );
    }

    pub(crate) fn silent_stream(&self, stream: &'static str) {
        self.silent.get_or_create(&StreamLabel { stream }).inc();
    }

    /// Audio figures are sums over the call: only their increase counts.
    pub(crate) fn observe(&self, before: Option<&Call>, event: &Event, after: &Call) {
        if let (Event::AgentLost { why, .. }, true) = (event, before.is_some_and(|before| before != after)) {
            self.lost.get_or_create(&LossLabel { why: why.name() }).inc();
        }
        let Some(now) = after.audio else { return };
        let then = before.and_then(|before| before.audio).unwrap_or_default();
        let grown = |of: fn(&AudioHeard) -> Duration| of(&now).saturating_sub(of(&then)).as_secs_f64();
        for (turn, seconds) in [
            ("agent", grown(|heard| heard.agents_turn.total)),
            ("caller", grown(|heard| heard.callers_turn.total)),
        ] {
            if seconds > 0.0 {
                self.silence.get_or_create(&TurnLabel { turn }).inc_by(seconds);
            }
        }
        for (to, seconds) in [
            ("agent", grown(|heard| heard.dropped_to_agent)),
            ("caller", grown(|heard| heard.dropped_to_caller)),
        ] {
            if seconds > 0.0 {
                self.dropped.get_or_create(&TowardsLabel { to }).inc_by(seconds);
            }
        }
    }
}
