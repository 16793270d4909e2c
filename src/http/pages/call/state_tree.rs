//! The exact state of a call as a tree of names and values, and what an event changed in it. Pure. Every field is
//! named here: the compiler reports a new one.

use std::time::Duration;

use precall_call::{
    Admission, At, Call, Conversation, Deadlines, Event, Instants, Offer, Person, Phase, ProofState, Retry,
    Rung, Seat, Voice,
};
use precall_store::events::event_json;
use serde_json::Value;

use super::moment::offset;

/// A group of the state, such as "deadlines".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Branch {
    /// Its name.
    pub(super) name: String,
    /// Its values.
    pub(super) leaves: Vec<Leaf>,
}

impl Branch {
    /// Whether a value changed.
    pub(super) fn is_changed(&self) -> bool {
        self.leaves.iter().any(|leaf| leaf.change != Change::None)
    }
}

/// A value of the state.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Its name.
    pub(super) name: String,
    /// Its value, or the last one of a value that is gone.
    pub(super) value: String,
    /// What the event did with it.
    pub(super) change: Change,
}

/// What an event did with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It is new.
    New,
    /// It was another value.
    Was(String),
    /// It is gone.
    Gone,
}

/// The state after an event, with what changed since the state before. Times are relative to the offer.
pub(super) fn tree(before: Option<&Call>, after: &Call) -> Vec<Branch> {
    let was = before.map(groups).unwrap_or_default();
    let is = groups(after);
    let mut branches: Vec<Branch> = is
        .iter()
        .map(|(name, values)| {
            let old = was.iter().find(|(old, _)| old == name).map(|(_, values)| values.as_slice());
            Branch { name: name.clone(), leaves: compared(old, values, before.is_none()) }
        })
        .collect();
    for (name, values) in was.iter().filter(|(name, _)| !is.iter().any(|(still, _)| still == name)) {
        branches.push(Branch { name: name.clone(), leaves: compared(Some(values), &[], false) });
    }
    branches
}

type Values = Vec<(String, String)>;

fn compared(old: Option<&[(String, String)]>, new: &[(String, String)], is_first: bool) -> Vec<Leaf> {
    let old = old.unwrap_or_default();
    let was = |name: &str| old.iter().find(|(old, _)| old == name).map(|(_, value)| value);
    let leaf = |(name, value): &(String, String)| {
        let change = match was(name) {
            _ if is_first => Change::None,
            Some(before) if before == value => Change::None,
            Some(before) => Change::Was(before.clone()),
            None => Change::New,
        };
        Leaf { name: name.clone(), value: value.clone(), change }
    };
    let mut leaves: Vec<Leaf> = new.iter().map(leaf).collect();
    for (name, value) in old.iter().filter(|(name, _)| !new.iter().any(|(still, _)| still == name)) {
        leaves.push(Leaf { name: name.clone(), value: value.clone(), change: Change::Gone });
    }
    leaves
}

/// Names and values, in groups. A value that is not there has no name.
fn groups(call: &Call) -> Vec<(String, Values)> {
    let Call {
        version,
        at,
        policy,
        phase,
        voice,
        awaits_voice,
        proof,
        wrong_pins,
        leg,
        audio_lost,
        audio,
        conversations,
        seat,
        tried,
        retry,
        retries,
        agent_loss,
        agent_talked,
        agent_heard,
        unheard_ends,
        utterances,
        deadlines,
        generation,
        instants,
        pbx_ended,
        pbx_duration,
        pbx_state,
        handoff_asked,
        person_asked,
        persons_asked,
        panics,
        last_panic,
        resumed,
        told,
    } = call;
    let from = instants.offered;
    let mut all = vec![
        ("phase".to_owned(), phase_values(phase, from)),
        (
            "voice".to_owned(),
            Group::new()
                .is("decision", voice_name(voice))
                .is("waits for it", yes(*awaits_voice))
                .is("proof", proof_name(*proof))
                .is("wrong PINs", wrong_pins)
                .0,
        ),
        (
            "leg".to_owned(),
            Group::new()
                .is("leg", leg.name())
                .is("no audio can be sent", yes(*audio_lost))
                .may("pbx state", pbx_state.as_ref())
                .is("pbx call ended", yes(*pbx_ended))
                .may("pbx duration", pbx_duration.map(span))
                .0,
        ),
        (
            "handoff".to_owned(),
            Group::new()
                .is("tried", tried_names(tried))
                .may("may be tried again", retry.map(retry_name))
                .is("counted retries", retries)
                .is("asked for by an operator", yes(*handoff_asked))
                .may("person asked for", person_asked.as_ref().map(person))
                .is("persons asked for by the agent", persons_asked)
                .is("seat", if *seat == Seat::Held { "held" } else { "none" })
                .may("agent lost", agent_loss.map(|loss| loss.name()))
                .is("agent was connected", yes(*agent_talked))
                .may("agent heard in attempt", *agent_heard)
                .is("agents that ended unheard", unheard_ends)
                .is("utterances", utterances)
                .is("told by operators", told)
                .0,
        ),
        ("deadlines".to_owned(), deadline_values(deadlines, *generation, from)),
        ("instants".to_owned(), instant_values(instants)),
        (
            "log".to_owned(),
            Group::new()
                .is("version", version)
                .is("at", offset(*at, from))
                .is("panics", panics)
                .may("last panic", last_panic.map(|at| offset(at, from)))
                .is("restarts of precall", resumed)
                .0,
        ),
    ];
    if let Some(heard) = audio {
        all.push((
            "audio".to_owned(),
            json_values(&event_json::encode(&Event::AudioEnded(*heard)), &["kind", "v"]),
        ));
    }
    for conversation in conversations {
        let name = format!("conversation {} {}", conversation.purpose.name(), conversation.ordinal);
        all.push((name, conversation_values(conversation)));
    }
    let offer = Event::Offered(Offer { policy: policy.clone(), admission: Admission::Accepted });
    let stored = event_json::encode(&offer);
    all.push(("policy".to_owned(), json_values(stored.get("policy").unwrap_or(&Value::Null), &[])));
    all
}

fn phase_values(phase: &Phase, from: At) -> Values {
    let group = Group::new().is("phase", phase.name());
    let group = match phase {
        Phase::Offered | Phase::Holding => group,
        Phase::Greeting(greeting) => group
            .may("early agent in attempt", greeting.early.map(|early| early.attempt.number))
            .may("early agent on rung", greeting.early.map(|early| early.attempt.rung.name()))
            .may("early agent is ready", greeting.early.map(|early| yes(early.ready)))
            .is("looked up", yes(greeting.looked_up)),
        Phase::HandingOff(handoff) => group
            .is("attempt", handoff.attempt.number)
            .is("rung", handoff.attempt.rung.name())
            .may("parked agent of attempt", handoff.parked.map(|parked| parked.attempt.number))
            .may("parked agent until", handoff.parked.map(|parked| offset(parked.until, from)))
            .is("looked up", yes(handoff.looked_up)),
        Phase::Conversing(with) => group
            .is("attempt", with.attempt.number)
            .is("rung", with.attempt.rung.name())
            .is("looked up", yes(with.looked_up)),
        Phase::Released(release) => group
            .is("cause", release.cause.name())
            .is("blame", release.blame.map_or("nobody", |blame| blame.name()))
            .is("told", release.told.name()),
    };
    group.0
}

fn deadline_values(deadlines: &Deadlines, generation: u32, from: At) -> Values {
    let Deadlines { leg, voice, greeting, proof, hold, handoff, conversation } = *deadlines;
    let mut group = Group::new();
    let all = [
        ("leg", leg),
        ("voice", voice),
        ("greeting", greeting),
        ("proof", proof),
        ("hold", hold),
        ("handoff", handoff),
        ("conversation", conversation),
    ];
    for (name, due) in all {
        group = group.may(name, due.map(|due| offset(due, from)));
    }
    group.may("armed", deadlines.earliest().map(|due| offset(due, from))).is("generation", generation).0
}

fn instant_values(instants: &Instants) -> Values {
    let Instants {
        offered,
        leg_connected,
        greeting_started,
        sound_started,
        notice_ended,
        greeting_ended,
        voice_decided,
        handoff_started,
        handed_off,
        agent_heard,
        leg_gone,
        released,
    } = *instants;
    let mut group = Group::new().is("offered", offset(offered, offered));
    let all = [
        ("leg connected", leg_connected),
        ("greeting started", greeting_started),
        ("sound started", sound_started),
        ("notice ended", notice_ended),
        ("greeting ended", greeting_ended),
        ("voice decided", voice_decided),
        ("handoff started", handoff_started),
        ("handed off", handed_off),
        ("agent heard", agent_heard),
        ("leg gone", leg_gone),
        ("released", released),
    ];
    for (name, at) in all {
        group = group.may(name, at.map(|at| offset(at, offered)));
    }
    group.0
}

fn conversation_values(conversation: &Conversation) -> Values {
    let Conversation { purpose: _, ordinal: _, id, dial, grade, duration, has_words, has_analysis, answered } =
        conversation;
    Group::new()
        .may("id", id.as_ref())
        .is("dial", dial.name())
        .is("reported", grade.name())
        .may("duration", duration.map(span))
        .is("transcript known", yes(*has_words))
        .is("analysis known", yes(*has_analysis))
        .is("answered", answered.name())
        .0
}

/// The fields of a stored object.
fn json_values(stored: &Value, without: &[&str]) -> Values {
    let fields = stored.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            (name.replace('_', " "), text)
        })
        .collect()
}

/// Values that are being gathered.
struct Group(Values);

impl Group {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn is(mut self, name: &str, value: impl ToString) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    fn may(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.is(name, value),
            None => self,
        }
    }
}

fn tried_names(tried: &[Rung]) -> String {
    if tried.is_empty() {
        return "nothing".to_owned();
    }
    tried.iter().map(|rung| rung.name()).collect::<Vec<_>>().join(", ")
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn span(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

fn voice_name(voice: &Voice) -> String {
    match voice {
        Voice::Awaited => "awaited".to_owned(),
        Voice::Cloned(voice) => format!("cloned: {voice}"),
        Voice::Fallback(why) => format!("fallback: {}", why.name()),
    }
}

fn proof_name(proof: ProofState) -> String {
    match proof {
        ProofState::Unasked => "not asked for".to_owned(),
        ProofState::Awaited(way) => format!("awaited: {}", way.name()),
        ProofState::Given => "given".to_owned(),
        ProofState::Shown => "given, and the voice was asked for with it".to_owned(),
        ProofState::Denied => "not given".to_owned(),
    }
}

fn retry_name(retry: Retry) -> String {
    match retry {
        Retry::Counted(rung) => format!("{}, counted", rung.name()),
        Retry::Free(rung) => format!("{}, free", rung.name()),
    }
}

fn person(person: &Person) -> String {
    match person {
        Person::Fallback => "FALLBACK_DESTINATION".to_owned(),
        Person::Named(name) => name.to_string(),
    }
}

#[cfg(test)]
mod tests;
