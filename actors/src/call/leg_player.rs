//! The player of a live leg: plays greeting, hold music and apology, connects an agent to the leg, and reports what the
//! caller heard.
//!
//! It lives as long as the leg's audio. The audio runs on a media thread; the player handles about a dozen messages per
//! call.

mod agent_events;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use agent_events::AgentOnLeg;
use precall_audio::bridge::agent_order::AgentOrder;
use precall_audio::leg_events::{LegAudioEvent, LegAudioStats, LegReport, SilentStream};
use precall_audio::leg_handle::LegHandle;
use precall_audio::playlist::{Mark, Playlist};
use precall_base::clock;
use precall_call::{At, AudioHeard, CallPart, Event, GreetingEnd, HandoffFailure};
use precall_providers::threecx::address::LegAddress;
use slog::{info, warn};

use crate::call::announcements::{APOLOGY, GREETING, NOTICE};
use crate::call::call_context::CallContext;
use crate::call::messages::{CallEvent, PartDown, PartParent};
use crate::call::services::CallServices;
use crate::call::supervision::{ListenToLeg, TellAgent};
use crate::call::transcript_tail::TranscriptTail;
use crate::observe::outcomes::Area;
use crate::pbx::held_legs::until_the_agent_returns;
use crate::pbx::leg_commands;
use crate::pbx::pbx_side::PbxSide;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::runtime::mailbox_age::AreYouThere;

/// How long the media thread may take to send its statistics after it was stopped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes per millisecond: 16-bit samples at 8 kHz.
const BYTES_PER_MS: u64 = 16;

/// What to play next. It replaces the rest of the current playlist without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum PlayAnnouncement {
    /// Notice and greeting from the beginning, then hold music.
    Greeting,
    /// Hold music.
    Hold,
    /// The apology, as one handoff attempt.
    Apology {
        /// Counts from 1.
        attempt: u8,
    },
}

/// Opens an agent session on this leg; it is not connected to the caller yet.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PrepareAgent {
    /// The order, without what was said before.
    pub order: AgentOrder,
    /// What the database knows of the conversation so far.
    pub earlier: TranscriptTail,
}

/// A command for the agent on this leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum AgentCommand {
    /// Connects the agent and the caller to each other.
    Connect {
        /// The attempt that prepared the agent.
        attempt: u8,
    },
    /// Reconnects the agent after a failed transfer to a person.
    Resume {
        /// The attempt that connected the agent.
        attempt: u8,
        /// Why the transfer failed.
        why: HandoffFailure,
    },
    /// Closes the agent's session.
    Release {
        /// The attempt that the session belongs to.
        attempt: u8,
    },
}

/// Stops the audio at once.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopPlaying;

/// The caller's connected leg.
#[derive(Clone, Debug)]
pub struct ConnectedLeg {
    /// Its address at the PBX.
    pub address: LegAddress,
    /// The PBX.
    pub side: Arc<PbxSide>,
    /// When the PBX's event was received.
    pub connected_at: At,
}

/// Totals of the call's earlier legs.
#[derive(Clone, Copy, Debug, Default)]
pub struct LegHistory {
    /// Audio statistics.
    pub audio: AudioHeard,
    /// Utterances recorded on the bridge.
    pub utterances: u32,
    /// Transfers to a person that agents requested.
    pub persons_asked: u8,
}

/// The player of one leg.
pub struct LegPlayer {
    leg: ConnectedLeg,
    first: PlayAnnouncement,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    /// Dropping it stops the audio.
    audio: Option<LegHandle>,
    /// The attempt whose apology is being played.
    apologising: Option<u8>,
    /// Another process has handed the leg over, and the agent is not back yet.
    is_handed: bool,
    /// A stream of this leg was open but silent.
    was_silent: bool,
    /// Audio statistics of the call's earlier legs.
    earlier_legs: AudioHeard,
    agent: AgentOnLeg,
    _notice: DownNotice<PartDown>,
}

impl LegPlayer {
    /// The player of one leg of one call.
    #[must_use]
    pub fn new(
        leg: ConnectedLeg,
        first: PlayAnnouncement,
        history: LegHistory,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::Greeting, panicked });
        let agent = AgentOnLeg::new(history.utterances, history.persons_asked);
        let earlier_legs = history.audio;
        Self {
            leg,
            first,
            context,
            services,
            call,
            audio: None,
            apologising: None,
            is_handed: false,
            was_silent: false,
            earlier_legs,
            agent,
            _notice: notice,
        }
    }

    /// Takes over the streams of a leg that hears hold music already, or opens them.
    fn open_audio(&self, playlist: Playlist, reports: Recipient<LegReport>) -> LegHandle {
        let (leg, side) = (&self.leg.address, &self.leg.side);
        if let Some(held) = side.held.take(leg)
            && held.change_owner(reports.clone(), playlist.clone())
        {
            return held;
        }
        side.media.open(leg.clone(), self.leg.connected_at, playlist, reports)
    }

    fn report(&self, at: At, event: Event) {
        self.call.events.do_send(CallEvent { at, ..CallEvent::part(event) });
    }

    /// `None` on a line without announcements: its route has no live leg.
    fn playlist(&mut self, play: PlayAnnouncement) -> Option<Playlist> {
        let announcements = self.context.line.announcements.as_ref()?;
        match play {
            PlayAnnouncement::Greeting => announcements.greeting().or_else(|| {
                // The notice must come first. Without it: hold music, while the call transfers to a person.
                self.report(clock::now(), Event::GreetingEnded { end: GreetingEnd::Failed });
                Some(announcements.hold())
            }),
            PlayAnnouncement::Hold if self.is_handed => Some(until_the_agent_returns(&announcements.hold())),
            PlayAnnouncement::Hold => Some(announcements.hold()),
            PlayAnnouncement::Apology { attempt } => {
                self.apologising = Some(attempt);
                Some(announcements.apology())
            }
        }
    }

    fn mark_heard(&mut self, at: At, mark: Mark) {
        match mark {
            NOTICE => {
                let version = self.context.line.announcements.as_ref().and_then(|p| p.notice_version());
                if let Some(version) = version {
                    self.report(at, Event::NoticeEnded { version });
                }
            }
            GREETING => self.report(at, Event::GreetingEnded { end: GreetingEnd::Played }),
            APOLOGY => {
                if let Some(attempt) = self.apologising.take() {
                    self.report(at, Event::HandoffSucceeded { attempt, conversation: None });
                }
            }
            _ => {}
        }
    }

    fn total_audio(&self, stats: &LegAudioStats) -> AudioHeard {
        AudioHeard {
            written: self.earlier_legs.written + Duration::from_millis(stats.bytes / BYTES_PER_MS),
            longest_gap: self.earlier_legs.longest_gap.max(stats.longest_gap),
            gaps: self.earlier_legs.gaps.saturating_add(stats.gaps_over_40ms),
            cuts: self.earlier_legs.cuts.saturating_add(stats.reopened),
            agents_turn: self.earlier_legs.agents_turn.and(stats.agents.agents_turn),
            callers_turn: self.earlier_legs.callers_turn.and(stats.agents.callers_turn),
            dropped_to_agent: self
                .earlier_legs
                .dropped_to_agent
                .saturating_add(stats.agents.dropped_to_agent),
            dropped_to_caller: self
                .earlier_legs
                .dropped_to_caller
                .saturating_add(stats.agents.dropped_to_caller),
        }
    }

    /// A stream of the leg is open, but dead. The leg may be gone as well.
    fn stream_is_silent(&mut self, stream: SilentStream) {
        self.was_silent = true;
        warn!(self.services.log, "an audio stream of a leg is open but silent"; "call" => %self.context.id,
            "stream" => stream.name());
        if !self.context.canary {
            self.services.metrics.silent_stream(stream.name());
            self.services.outcomes.failed(Area::LegAudio, Some(self.context.id), stream.words());
        }
        leg_commands::look(&self.leg.side, &self.leg.address);
    }

    /// Reports that the audio is lost, and that a running apology failed.
    fn audio_lost(&mut self, at: At) {
        if let Some(attempt) = self.apologising.take() {
            self.report(at, Event::HandoffFailed { attempt, why: HandoffFailure::Refused });
        }
        self.report(at, Event::AudioLost);
    }
}

impl Actor for LegPlayer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::PlayerStarts, self.context.id);
        self.is_handed = self.leg.side.media.hand_over().take_handed(&self.leg.address);
        let playlist = self.playlist(self.first);
        let Some(playlist) = playlist else {
            self.audio_lost(self.leg.connected_at);
            return ctx.stop();
        };
        self.audio = Some(self.open_audio(playlist, ctx.address().recipient()));
        let (call, wire) = (self.context.id, self.services.wire.tap(self.context.id));
        leg_commands::attach_call_id(&self.leg.side, &self.services.log, wire, &self.leg.address, call);
    }
}

impl Handler<AreYouThere> for LegPlayer {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<PlayAnnouncement> for LegPlayer {
    type Result = ();

    fn handle(&mut self, play: PlayAnnouncement, _: &mut Context<Self>) {
        let playlist = self.playlist(play);
        match (&self.audio, playlist) {
            (Some(audio), Some(playlist)) => audio.play(playlist),
            (None, _) | (_, None) => self.audio_lost(clock::now()),
        }
    }
}

impl Handler<PrepareAgent> for LegPlayer {
    type Result = ();

    fn handle(&mut self, PrepareAgent { order, earlier }: PrepareAgent, _: &mut Context<Self>) {
        match &self.audio {
            Some(audio) if self.agent.is_wanted(order.attempt) => {
                audio.prepare_agent(self.agent.continued(order, &earlier));
            }
            Some(_) => {}
            None => {
                let failed = Event::HandoffFailed { attempt: order.attempt, why: HandoffFailure::Refused };
                self.report(clock::now(), failed);
            }
        }
    }
}

impl Handler<AgentCommand> for LegPlayer {
    type Result = ();

    fn handle(&mut self, order: AgentCommand, _: &mut Context<Self>) {
        let Some(audio) = &self.audio else { return };
        match order {
            AgentCommand::Connect { attempt } => audio.connect_agent(attempt),
            AgentCommand::Resume { attempt, why } => {
                audio.resume_agent(attempt);
                audio.send_to_agent(attempt, self.agent.transfer_failed_text(why));
            }
            AgentCommand::Release { attempt } => {
                self.agent.release(attempt);
                audio.release_agent(attempt);
            }
        }
    }
}

impl Handler<ListenToLeg> for LegPlayer {
    type Result = ();

    fn handle(&mut self, ListenToLeg(tap): ListenToLeg, _: &mut Context<Self>) {
        // Without audio the tap ends here.
        if let Some(audio) = &self.audio {
            audio.listen(tap);
        }
    }
}

impl Handler<TellAgent> for LegPlayer {
    type Result = ();

    fn handle(&mut self, TellAgent { attempt, message }: TellAgent, _: &mut Context<Self>) {
        if let Some(audio) = &self.audio {
            audio.send_to_agent(attempt, message);
        }
    }
}

impl Handler<StopPlaying> for LegPlayer {
    type Result = ();

    fn handle(&mut self, _: StopPlaying, ctx: &mut Context<Self>) {
        self.audio = None;
        ctx.run_later(CLOSE_TIMEOUT, |_, ctx| ctx.stop());
    }
}

impl Handler<LegReport> for LegPlayer {
    type Result = ();

    fn handle(&mut self, report: LegReport, ctx: &mut Context<Self>) {
        let LegReport { at, what } = report;
        self.note_on_the_wire(&what);
        match what {
            LegAudioEvent::FirstFrame => {
                self.services.faults.pass(Point::PlayerHears, self.context.id);
                self.report(at, Event::GreetingStarted { conversation: None });
            }
            LegAudioEvent::FirstSound => self.report(at, Event::SoundStarted),
            LegAudioEvent::Heard(mark) => self.mark_heard(at, mark),
            // A leg that is routed away is cut too, so only a reopened stream is logged.
            LegAudioEvent::Cut => {}
            LegAudioEvent::Reopened { gap } => {
                info!(self.services.log, "a leg's audio stream was cut and is open again";
                "call" => %self.context.id, "gap_ms" => gap.as_millis())
            }
            LegAudioEvent::Agent { attempt, what } => {
                self.is_handed = false;
                self.agent_event(attempt, at, what);
            }
            LegAudioEvent::StreamsEnded => leg_commands::look(&self.leg.side, &self.leg.address),
            LegAudioEvent::Silent(stream) => self.stream_is_silent(stream),
            LegAudioEvent::CallerHeardAgain => {
                info!(self.services.log, "the caller's audio comes again"; "call" => %self.context.id);
            }
            LegAudioEvent::Failed(why) => {
                warn!(self.services.log, "no audio reaches the leg"; "call" => %self.context.id, "error" => %why);
                self.services.outcomes.greeting_reason(self.context.id, &why.to_string());
                leg_commands::look(&self.leg.side, &self.leg.address);
                self.audio_lost(at);
            }
            LegAudioEvent::Closed(stats) => {
                if !self.was_silent && stats.caller_bytes > 0 && !self.context.canary {
                    self.services.outcomes.succeeded(Area::LegAudio, Some(self.context.id));
                }
                self.report(at, Event::AudioEnded(self.total_audio(&stats)));
                ctx.stop();
            }
        }
    }
}
