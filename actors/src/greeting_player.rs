//! What the caller hears on a live leg: plays greeting, hold music and apology into one leg, lets an agent speak on
//! it, and reports what was heard.
//!
//! It lives as long as its leg's audio. The audio itself runs on a media thread; here pass only a dozen messages a
//! call.

mod agent_on_leg;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message};
use precall_call::{At, AudioHeard, CallPart, Event, GreetingEnd, HandoffFailure};
use slog::{info, warn};

use crate::call_actor::{CallActor, Happened, PartDown};
use crate::call_context::CallContext;
use crate::clock;
use crate::death_notice::DeathNotice;
use crate::faults::Point;
use crate::leg_orders;
use crate::media::bridge::agent_order::AgentOrder;
use crate::media::leg_audio::LegAudio;
use crate::media::leg_report::{LegAudioStats, LegNews, LegReport};
use crate::media::scene::{Mark, Scene};
use crate::programme::{APOLOGY, GREETING, NOTICE};
use crate::providers::threecx::address::LegAddress;
use crate::shared::Shared;
use agent_on_leg::AgentOnLeg;

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
pub struct GreetingPlayer {
    leg: ConnectedLeg,
    first: Play,
    context: Arc<CallContext>,
    shared: Arc<Shared>,
    call: Addr<CallActor>,
    /// Dropping it stops the audio.
    audio: Option<LegAudio>,
    /// The attempt whose apology is being played.
    apologising: Option<u8>,
    /// What earlier legs of this call had heard.
    earlier: AudioHeard,
    agent: AgentOnLeg,
    _notice: DeathNotice<CallActor, PartDown>,
}

impl GreetingPlayer {
    /// For one leg of one call.
    #[must_use]
    pub fn new(
        leg: ConnectedLeg,
        first: Play,
        before: Before,
        context: Arc<CallContext>,
        shared: Arc<Shared>,
        call: Addr<CallActor>,
    ) -> Self {
        let notice =
            DeathNotice::new(call.clone(), |panicked| PartDown { part: CallPart::Greeting, panicked });
        let agent = AgentOnLeg::new(before.utterances, before.persons_asked);
        let earlier = before.audio;
        Self {
            leg,
            first,
            context,
            shared,
            call,
            audio: None,
            apologising: None,
            earlier,
            agent,
            _notice: notice,
        }
    }

    fn tell(&self, at: At, event: Event) {
        self.call.do_send(Happened { at, ..Happened::part(event) });
    }

    /// None on a line without a programme: it is of a route without audio.
    fn scene(&mut self, play: Play) -> Option<Scene> {
        let programme = self.context.line.programme.as_ref()?;
        match play {
            Play::Greeting => programme.greeting().or_else(|| {
                // Nothing is said before the notice. Music, while the call finds somebody who needs none.
                self.tell(clock::now(), Event::GreetingEnded { end: GreetingEnd::Failed });
                Some(programme.hold())
            }),
            Play::Hold => Some(programme.hold()),
            Play::Apology { attempt } => {
                self.apologising = Some(attempt);
                Some(programme.apology())
            }
        }
    }

    fn heard(&mut self, at: At, mark: Mark) {
        match mark {
            NOTICE => {
                let version = self.context.line.programme.as_ref().and_then(|p| p.notice_version());
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

impl Actor for GreetingPlayer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::PlayerStarts, self.context.id);
        let scene = self.scene(self.first);
        let (Some(pbx), Some(scene)) = (self.shared.pbx.as_ref(), scene) else {
            self.lost(self.leg.connected_at);
            return ctx.stop();
        };
        let (leg, reports) = (self.leg.address.clone(), ctx.address().recipient());
        self.audio = Some(pbx.media.open(leg, self.leg.connected_at, scene, reports));
        leg_orders::attach_call_id(&self.shared, &self.leg.address, self.context.id);
    }
}

impl Handler<Play> for GreetingPlayer {
    type Result = ();

    fn handle(&mut self, play: Play, _: &mut Context<Self>) {
        let scene = self.scene(play);
        match (&self.audio, scene) {
            (Some(audio), Some(scene)) => audio.play(scene),
            (None, _) | (_, None) => self.lost(clock::now()),
        }
    }
}

impl Handler<BringAgent> for GreetingPlayer {
    type Result = ();

    fn handle(&mut self, BringAgent(order): BringAgent, _: &mut Context<Self>) {
        match &self.audio {
            Some(audio) if self.agent.is_wanted(order.attempt) => {
                let context = self.agent.said_before().or(order.context.clone());
                audio.bring(AgentOrder { context, ..order });
            }
            Some(_) => {}
            None => {
                let failed = Event::HandoffFailed { attempt: order.attempt, why: HandoffFailure::Refused };
                self.tell(clock::now(), failed);
            }
        }
    }
}

impl Handler<TellAgent> for GreetingPlayer {
    type Result = ();

    fn handle(&mut self, order: TellAgent, _: &mut Context<Self>) {
        let Some(audio) = &self.audio else { return };
        match order {
            TellAgent::Connect { attempt } => audio.connect(attempt),
            TellAgent::GoOn { attempt, why } => {
                audio.go_on(attempt);
                audio.write(attempt, self.agent.nobody_came(why));
            }
            TellAgent::LetGo { attempt } => {
                self.agent.let_go(attempt);
                audio.let_go(attempt);
            }
        }
    }
}

impl Handler<StopPlaying> for GreetingPlayer {
    type Result = ();

    fn handle(&mut self, _: StopPlaying, ctx: &mut Context<Self>) {
        self.audio = None;
        ctx.run_later(CLOSED_WITHIN, |_, ctx| ctx.stop());
    }
}

impl Handler<LegReport> for GreetingPlayer {
    type Result = ();

    fn handle(&mut self, report: LegReport, ctx: &mut Context<Self>) {
        let LegReport { at, what } = report;
        match what {
            LegNews::FirstFrame => {
                self.shared.faults.pass(Point::PlayerHears, self.context.id);
                self.tell(at, Event::GreetingStarted { conversation: None });
            }
            LegNews::FirstSound => self.tell(at, Event::SoundStarted),
            LegNews::Heard(mark) => self.heard(at, mark),
            // A leg that is routed away is cut as well: worth a line only when it is open again.
            LegNews::Cut => {}
            LegNews::Reopened { gap } => info!(self.shared.log, "a leg's stream was cut and is open again";
                "call" => %self.context.id, "gap_ms" => gap.as_millis()),
            LegNews::Agent { attempt, what } => self.agent_news(attempt, at, what),
            LegNews::StreamsEnded => leg_orders::look(&self.shared, &self.leg.address),
            LegNews::Failed(why) => {
                warn!(self.shared.log, "no audio reaches the leg"; "call" => %self.context.id, "error" => %why);
                leg_orders::look(&self.shared, &self.leg.address);
                self.lost(at);
            }
            LegNews::Closed(stats) => {
                self.tell(at, Event::AudioEnded(self.sums(&stats)));
                ctx.stop();
            }
        }
    }
}
