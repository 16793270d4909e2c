//! What the caller hears on a live leg: plays greeting, hold music and apology into one leg, lets an agent speak on
//! it, and reports what was heard.
//!
//! It lives as long as its leg's audio. The audio itself runs on a media thread; here pass only a dozen messages a
//! call.

mod agent_events;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use precall_audio::bridge::agent_order::AgentOrder;
use precall_audio::leg_events::{LegAudioEvent, LegAudioStats, LegReport};
use precall_audio::leg_handle::LegHandle;
use precall_audio::playlist::{Mark, Playlist};
use precall_base::clock;
use precall_call::{At, AudioHeard, CallPart, Event, GreetingEnd, HandoffFailure};
use precall_providers::threecx::address::LegAddress;
use slog::{info, warn};

use crate::call::announcements::{APOLOGY, GREETING, NOTICE};
use crate::call::call_context::CallContext;
use crate::call::messages::{Happened, PartDown, PartParent};
use crate::call::services::CallServices;
use crate::pbx::leg_commands;
use crate::pbx::pbx_side::PbxSide;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use agent_events::AgentOnLeg;

/// How long the media thread may take to say how the audio had gone, after it was told to stop.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
/// 16-bit samples at 8 kHz.
const BYTES_PER_MS: u64 = 16;

/// What to play next; it replaces what is left of the present scene without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Play {
    /// Notice and greeting from their beginning, then hold music.
    Greeting,
    /// Hold music.
    Hold,
    /// The apology, which is this attempt of the ladder.
    Apology {
        /// Counts from 1.
        attempt: u8,
    },
}

/// Makes an agent ready on this leg.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct BringAgent(pub AgentOrder);

/// What is to become of the agent on this leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum TellAgent {
    /// It hears the caller from now on, and is heard.
    Connect {
        /// The attempt that made it ready.
        attempt: u8,
    },
    /// The same, after somebody else was not reached.
    GoOn {
        /// The attempt that had brought it in.
        attempt: u8,
        /// Why nobody else came.
        why: HandoffFailure,
    },
    /// Its session is closed.
    LetGo {
        /// The attempt that it is of.
        attempt: u8,
    },
}

/// No byte more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopPlaying;

/// A connected leg.
#[derive(Clone, Debug)]
pub struct ConnectedLeg {
    /// Where it is.
    pub address: LegAddress,
    /// The PBX that has it.
    pub side: Arc<PbxSide>,
    /// When the PBX's news of it was received.
    pub connected_at: At,
}

/// What there was of this call before this leg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before {
    /// How its audio had gone.
    pub audio: AudioHeard,
    /// Utterances that were heard on the bridge.
    pub utterances: u32,
    /// Requests of an agent for a person.
    pub persons_asked: u8,
}

/// See the file.
pub struct LegPlayer {
    leg: ConnectedLeg,
    first: Play,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    /// Dropping it stops the audio.
    audio: Option<LegHandle>,
    /// The attempt whose apology is being played.
    apologising: Option<u8>,
    /// What earlier legs of this call had heard.
    earlier: AudioHeard,
    agent: AgentOnLeg,
    _notice: DownNotice<PartDown>,
}

impl LegPlayer {
    /// For one leg of one call.
    #[must_use]
    pub fn new(
        leg: ConnectedLeg,
        first: Play,
        before: Before,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::Greeting, panicked });
        let agent = AgentOnLeg::new(before.utterances, before.persons_asked);
        let earlier = before.audio;
        Self {
            leg,
            first,
            context,
            services,
            call,
            audio: None,
            apologising: None,
            earlier,
            agent,
            _notice: notice,
        }
    }

    fn tell(&self, at: At, event: Event) {
        self.call.happened.do_send(Happened { at, ..Happened::part(event) });
    }

    /// None on a line without announcements: it is of a route without audio.
    fn playlist(&mut self, play: Play) -> Option<Playlist> {
        let announcements = self.context.line.announcements.as_ref()?;
        match play {
            Play::Greeting => announcements.greeting().or_else(|| {
                // Nothing is said before the notice. Music, while the call finds somebody who needs none.
                self.tell(clock::now(), Event::GreetingEnded { end: GreetingEnd::Failed });
                Some(announcements.hold())
            }),
            Play::Hold => Some(announcements.hold()),
            Play::Apology { attempt } => {
                self.apologising = Some(attempt);
                Some(announcements.apology())
            }
        }
    }

    fn heard(&mut self, at: At, mark: Mark) {
        match mark {
            NOTICE => {
                let version = self.context.line.announcements.as_ref().and_then(|p| p.notice_version());
                if let Some(version) = version {
                    self.tell(at, Event::NoticeEnded { version });
                }
            }
            GREETING => self.tell(at, Event::GreetingEnded { end: GreetingEnd::Played }),
            APOLOGY => {
                if let Some(attempt) = self.apologising.take() {
                    self.tell(at, Event::HandoffSucceeded { attempt, conversation: None });
                }
            }
            _ => {}
        }
    }

    fn sums(&self, stats: &LegAudioStats) -> AudioHeard {
        AudioHeard {
            written: self.earlier.written + Duration::from_millis(stats.bytes / BYTES_PER_MS),
            longest_gap: self.earlier.longest_gap.max(stats.longest_gap),
            gaps: self.earlier.gaps.saturating_add(stats.gaps_over_40ms),
            cuts: self.earlier.cuts.saturating_add(stats.reopened),
            agents_turn: self.earlier.agents_turn.and(stats.agents.agents_turn),
            callers_turn: self.earlier.callers_turn.and(stats.agents.callers_turn),
            dropped_to_agent: self.earlier.dropped_to_agent.saturating_add(stats.agents.dropped_to_agent),
            dropped_to_caller: self.earlier.dropped_to_caller.saturating_add(stats.agents.dropped_to_caller),
        }
    }

    /// Whatever was to be heard will not be.
    fn lost(&mut self, at: At) {
        if let Some(attempt) = self.apologising.take() {
            self.tell(at, Event::HandoffFailed { attempt, why: HandoffFailure::Refused });
        }
        self.tell(at, Event::AudioLost);
    }
}

impl Actor for LegPlayer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::PlayerStarts, self.context.id);
        let scene = self.playlist(self.first);
        let Some(scene) = scene else {
            self.lost(self.leg.connected_at);
            return ctx.stop();
        };
        let (leg, reports) = (self.leg.address.clone(), ctx.address().recipient());
        self.audio = Some(self.leg.side.media.open(leg, self.leg.connected_at, scene, reports));
        leg_commands::attach_call_id(&self.leg.side, &self.services.log, &self.leg.address, self.context.id);
    }
}

impl Handler<Play> for LegPlayer {
    type Result = ();

    fn handle(&mut self, play: Play, _: &mut Context<Self>) {
        let scene = self.playlist(play);
        match (&self.audio, scene) {
            (Some(audio), Some(scene)) => audio.play(scene),
            (None, _) | (_, None) => self.lost(clock::now()),
        }
    }
}

impl Handler<BringAgent> for LegPlayer {
    type Result = ();

    fn handle(&mut self, BringAgent(order): BringAgent, _: &mut Context<Self>) {
        match &self.audio {
            Some(audio) if self.agent.is_wanted(order.attempt) => {
                let context = self.agent.said_before().or(order.context.clone());
                audio.prepare_agent(AgentOrder { context, ..order });
            }
            Some(_) => {}
            None => {
                let failed = Event::HandoffFailed { attempt: order.attempt, why: HandoffFailure::Refused };
                self.tell(clock::now(), failed);
            }
        }
    }
}

impl Handler<TellAgent> for LegPlayer {
    type Result = ();

    fn handle(&mut self, order: TellAgent, _: &mut Context<Self>) {
        let Some(audio) = &self.audio else { return };
        match order {
            TellAgent::Connect { attempt } => audio.connect_agent(attempt),
            TellAgent::GoOn { attempt, why } => {
                audio.resume_agent(attempt);
                audio.send_to_agent(attempt, self.agent.nobody_came(why));
            }
            TellAgent::LetGo { attempt } => {
                self.agent.let_go(attempt);
                audio.release_agent(attempt);
            }
        }
    }
}

impl Handler<StopPlaying> for LegPlayer {
    type Result = ();

    fn handle(&mut self, _: StopPlaying, ctx: &mut Context<Self>) {
        self.audio = None;
        ctx.run_later(CLOSED_WITHIN, |_, ctx| ctx.stop());
    }
}

impl Handler<LegReport> for LegPlayer {
    type Result = ();

    fn handle(&mut self, report: LegReport, ctx: &mut Context<Self>) {
        let LegReport { at, what } = report;
        match what {
            LegAudioEvent::FirstFrame => {
                self.services.faults.pass(Point::PlayerHears, self.context.id);
                self.tell(at, Event::GreetingStarted { conversation: None });
            }
            LegAudioEvent::FirstSound => self.tell(at, Event::SoundStarted),
            LegAudioEvent::Heard(mark) => self.heard(at, mark),
            // A leg that is routed away is cut as well: worth a line only when it is open again.
            LegAudioEvent::Cut => {}
            LegAudioEvent::Reopened { gap } => {
                info!(self.services.log, "a leg's stream was cut and is open again";
                "call" => %self.context.id, "gap_ms" => gap.as_millis())
            }
            LegAudioEvent::Agent { attempt, what } => self.agent_news(attempt, at, what),
            LegAudioEvent::StreamsEnded => leg_commands::look(&self.leg.side, &self.leg.address),
            LegAudioEvent::Failed(why) => {
                warn!(self.services.log, "no audio reaches the leg"; "call" => %self.context.id, "error" => %why);
                leg_commands::look(&self.leg.side, &self.leg.address);
                self.lost(at);
            }
            LegAudioEvent::Closed(stats) => {
                self.tell(at, Event::AudioEnded(self.sums(&stats)));
                ctx.stop();
            }
        }
    }
}
