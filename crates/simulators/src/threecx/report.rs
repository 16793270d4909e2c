//! The report on a call: `GET /sim/calls/{call_id}`.

use std::time::Instant;

use serde::Serialize;

use super::call::{Attached, Call, Direction, EndedBy, Mode, State, Transfer, TrunkCall};
use super::ear::ms;
use super::front_door::DoorReport;
use super::silence::Silence;
use super::world::World;

/// The report on one call. Times of the wall are RFC 3339 with microseconds; `_ms` counts from Connected unless
/// said otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct CallReport {
    /// The id that all its legs share.
    pub call_id: String,
    /// The id of the leg that the client had first.
    pub participant_id: u64,
    /// How often the PBX had been restarted before.
    pub generation: u64,
    /// Which way it went.
    pub direction: Direction,
    /// The caller, or who was called.
    pub caller: String,
    /// The dialled number.
    pub called: String,
    /// How it arrived.
    pub mode: Mode,
    /// Where it stands.
    pub state: State,
    /// When it was placed.
    pub placed_at: String,
    /// When its leg appeared.
    pub appeared_at: Option<String>,
    /// When it was connected to the client.
    pub connected_at: Option<String>,
    /// When it was transferred.
    pub transferred_at: Option<String>,
    /// When it was over.
    pub ended_at: Option<String>,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// When the first byte of audio arrived.
    pub first_byte_at: Option<String>,
    /// When the caller heard the first sound.
    pub first_sound_at: Option<String>,
    /// Connected until the first byte.
    pub first_frame_ms: Option<u64>,
    /// Connected until the arrival of the first sound that the caller heard.
    pub first_sound_arrived_ms: Option<u64>,
    /// Connected until the caller heard it.
    pub first_sound_ms: Option<u64>,
    /// Silences over 40 ms because nothing was there to play while a stream was open.
    pub gaps_ms: Vec<u64>,
    /// Silences over 40 ms between one stream and the next.
    pub breaks_ms: Vec<u64>,
    /// The longest of both.
    pub longest_gap_ms: u64,
    /// Times of a second and more in which the caller heard nothing, from Connected until the leg was gone.
    pub silences: Vec<Silence>,
    /// How much audio at most was waiting to be played.
    pub max_lead_ms: u64,
    /// How often the buffer was empty, for any time.
    pub underruns: u64,
    /// Audio that was lost because it was sent too far ahead.
    pub overflow_bytes: u64,
    /// What arrived to be heard.
    pub bytes_received: u64,
    /// How long the caller has listened, silence included.
    pub heard_ms: u64,
    /// What arrived on streams that were opened too early.
    pub discarded_bytes: u64,
    /// What arrived after the hang-up, and later than what was under way.
    pub bytes_after_hangup: u64,
    /// What was under way at the hang-up or transfer.
    pub bytes_under_way: u64,
    /// Audio that arrived after the transfer.
    pub bytes_after_transfer: u64,
    /// POST streams that were taken.
    pub posts_opened: u64,
    /// POST streams to a leg that was gone.
    pub posts_too_late: u64,
    /// GET streams that were opened.
    pub gets_opened: u64,
    /// The DN that has the caller, or had the caller last: the front door's, the client's, or a destination.
    pub caller_at: Option<String>,
    /// What the script at the front door did.
    pub front_door: Option<DoorReport>,
    /// The last attempt to hand it over.
    pub routeto: Option<Transfer>,
    /// All of them.
    pub transfers: Vec<Transfer>,
    /// The conversation that it has become.
    pub trunk: Option<TrunkCall>,
    /// Data that the client attached.
    pub attached: Attached,
    /// Keys that the caller pressed.
    pub dtmf: Vec<String>,
    /// Legs that the client sees now.
    pub legs: Vec<u64>,
}

impl CallReport {
    /// A call as it is now.
    pub(super) fn of(world: &World, call: &Call, now: Instant) -> Self {
        let wall = |at: Option<Instant>| at.map(|at| world.wall(at));
        let since = |at: Option<Instant>| {
            at.zip(call.connected_at).map(|(at, connected)| ms(at.saturating_duration_since(connected)))
        };
        let heard = call.ear.figures(now);
        let silences = call.ear.silences(now).into_iter();
        let first_byte = call.ear.began();
        let sound = call.ear.first_sound(now);
        Self {
            call_id: call.callid.to_string(),
            participant_id: call.participant_id,
            generation: call.generation,
            direction: call.direction,
            caller: call.wanted.caller.clone(),
            called: call.wanted.called.clone(),
            mode: call.wanted.mode,
            state: call.state,
            placed_at: world.wall(call.placed_at),
            appeared_at: wall(call.appeared_at),
            connected_at: wall(call.connected_at),
            transferred_at: wall(call.transferred_at),
            ended_at: wall(call.ended_at),
            ended_by: call.ended_by,
            first_byte_at: wall(first_byte),
            first_sound_at: wall(sound.map(|sound| sound.heard_at)),
            first_frame_ms: since(first_byte),
            first_sound_arrived_ms: since(sound.map(|sound| sound.arrived_at)),
            first_sound_ms: since(sound.map(|sound| sound.heard_at)),
            gaps_ms: heard.gaps_ms,
            breaks_ms: heard.breaks_ms,
            longest_gap_ms: heard.longest_gap_ms,
            silences: silences
                .map(|(from, length)| Silence { from: world.wall(from), ms: ms(length) })
                .collect(),
            max_lead_ms: heard.max_lead_ms,
            underruns: heard.underruns,
            overflow_bytes: heard.overflow_bytes,
            bytes_received: heard.bytes_received,
            heard_ms: heard.heard_ms,
            discarded_bytes: call.discarded_bytes,
            bytes_after_hangup: call.late.after_hangup,
            bytes_under_way: call.late.under_way,
            bytes_after_transfer: call.late.after_transfer,
            posts_opened: call.posts_opened,
            posts_too_late: call.late.posts,
            gets_opened: call.gets_opened,
            caller_at: call.caller_at.clone(),
            front_door: call.wanted.front_door.as_ref().map(|_| call.door.report.clone()),
            routeto: call.transfers.last().cloned(),
            transfers: call.transfers.clone(),
            trunk: call.trunk.clone(),
            attached: call.attached.clone(),
            dtmf: call.dtmf.clone(),
            legs: call.legs.iter().map(|leg| leg.id).collect(),
        }
    }
}
