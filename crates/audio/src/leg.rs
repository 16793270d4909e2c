//! One leg, as its shard and its tasks use it. Everything runs on the shard's thread.

mod from_caller;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::Recipient;
use precall_base::clock;
use precall_call::AgentLoss;
use tokio::sync::Notify;

use crate::bridge::agent_event::AgentEvent;
use crate::bridge::agent_order::SocketSetup;
use crate::bridge::agent_session::AgentSession;
use crate::bridge::socket_state::{Opening, SocketEnd};
use crate::caller_stream::CallerStream;
use crate::leg_commands::{CommandQueue, LegCommand};
use crate::leg_events::{AgentStats, LegAudioEvent, LegAudioStats, LegReport, StreamFailure};
use crate::net::stream_retry::AttemptError;
use crate::net::upload_body::UploadBody;
use crate::pacer::Lead;
use crate::playlist::Playlist;
use crate::playout::{ConversationStats, Playout, StreamEnd};
use crate::sample_framing::SampleFraming;
use crate::tap::{TapWriter, Taps};

/// A leg's audio in both directions and its agent.
pub(crate) struct Leg {
    commands: Arc<CommandQueue>,
    playout: RefCell<Playout>,
    session: RefCell<Option<AgentSession>>,
    /// Sums over agents that are gone.
    agent_stats: Cell<AgentStats>,
    caller_framing: RefCell<SampleFraming>,
    caller_bytes: Cell<u64>,
    /// When the caller's audio last came; none before the first.
    caller_heard: Cell<Option<Instant>>,
    /// The open stream of the caller's audio.
    caller_stream: RefCell<Option<CallerStream>>,
    closing: Notify,
    /// Another process plays into the leg: its agent waits with the conversation.
    elsewhere: Cell<bool>,
    taps: Rc<Taps>,
}

impl Leg {
    pub(crate) fn new(
        commands: Arc<CommandQueue>,
        reports: Recipient<LegReport>,
        playlist: Playlist,
        lead: Lead,
    ) -> Self {
        let playout = Playout::new(reports, playlist, lead);
        Self {
            commands,
            taps: playout.taps(),
            playout: RefCell::new(playout),
            session: RefCell::default(),
            agent_stats: Cell::default(),
            caller_framing: RefCell::default(),
            caller_bytes: Cell::new(0),
            caller_heard: Cell::new(None),
            caller_stream: RefCell::default(),
            closing: Notify::new(),
            elsewhere: Cell::new(false),
        }
    }

    /// Reads and writes the audio that is due, and reports the marks that were heard.
    pub(crate) fn tick(&self, now: Instant) {
        self.read_caller_when_due(now);
        {
            let mut playout = self.playout.borrow_mut();
            #[cfg(test)]
            assert!(!self.commands.takes_panic(), "asked for by a test");
            let mut session = self.session.borrow_mut();
            if let Some(session) = session.as_mut() {
                let (mark, left) = session.order().begins;
                if !self.elsewhere.get() && playout.time_until(mark).is_none_or(|until| until <= left) {
                    session.begin();
                }
                session.tick(now, playout.ahead(now));
            }
            playout.tick(now, session.as_mut());
        }
        self.report_agent_events();
    }

    /// Runs the owner's commands since the last call. Returns the attempts that need a session opened.
    pub(crate) fn run_commands(&self) -> Vec<u8> {
        let now = Instant::now();
        let mut to_open = Vec::new();
        for command in self.commands.take_all() {
            match command {
                LegCommand::Play(playlist) => {
                    if let Some(session) = self.session.borrow_mut().as_mut() {
                        session.hold();
                    }
                    self.playout.borrow_mut().play(playlist);
                }
                LegCommand::ChangeOwner(reports, playlist) => {
                    self.playout.borrow_mut().change_owner(reports, playlist);
                }
                LegCommand::PrepareAgent(order) => {
                    self.release_agent();
                    to_open.push(order.attempt);
                    *self.session.borrow_mut() = Some(AgentSession::new(*order));
                }
                LegCommand::ConnectAgent(attempt) => {
                    self.with_session(attempt, |session| session.connect(now));
                }
                LegCommand::ResumeAgent(attempt) => {
                    self.with_session(attempt, |session| session.resume(now));
                }
                LegCommand::SendToAgent(attempt, message) => {
                    self.with_session(attempt, |session| session.send(message));
                }
                LegCommand::Listen(tap) => self.listen(tap),
                LegCommand::ReleaseAgent(attempt) => {
                    let is_present =
                        self.session.borrow().as_ref().is_some_and(|s| s.order().attempt == attempt);
                    if is_present {
                        self.release_agent();
                    }
                }
            }
        }
        if self.commands.is_owner_gone() {
            self.close();
        }
        to_open
    }

    /// Refuses a listener while the caller has not heard the notice, whoever asked.
    fn listen(&self, tap: TapWriter) {
        if self.playout.borrow().is_private() {
            return tap.refuse();
        }
        self.taps.add(tap);
    }

    /// Reports the agent as lost when the session of this attempt is gone.
    fn with_session(&self, attempt: u8, act: impl FnOnce(&mut AgentSession)) {
        let mut session = self.session.borrow_mut();
        let present = session.as_mut().filter(|s| s.order().attempt == attempt && !s.is_closed());
        if let Some(session) = present {
            return act(session);
        }
        drop(session);
        let detail = "the agent's session is closed already".to_owned();
        let what = AgentEvent::Lost { why: AgentLoss::Lost, detail };
        self.report(LegAudioEvent::Agent { attempt, what });
    }

    fn release_agent(&self) {
        if let Some(session) = self.session.borrow_mut().take() {
            self.agent_stats.set(self.agent_stats.get().and(session.stats()));
        }
    }

    fn report_agent_events(&self) {
        let mut session = self.session.borrow_mut();
        let Some(present) = session.as_mut() else { return };
        let (attempt, events, is_closed) =
            (present.order().attempt, present.take_events(), present.is_closed());
        drop(session);
        if is_closed {
            self.release_agent();
        }
        for what in events {
            self.report(LegAudioEvent::Agent { attempt, what });
        }
    }

    /// What the socket of this attempt needs; none when the attempt was released.
    pub(crate) fn socket_setup(&self, attempt: u8) -> Option<SocketSetup> {
        let session = self.session.borrow();
        let session = session.as_ref().filter(|session| session.order().attempt == attempt)?;
        Some(SocketSetup {
            url: session.order().url.clone(),
            initiation: session.order().initiation.clone(),
            outbox: session.outbox(),
            begin: session.begin_signal(),
        })
    }

    /// Handles a message of the provider to the session of this attempt.
    pub(crate) fn agent_message(&self, attempt: u8, text: &str, now: Instant) {
        let mut session = self.session.borrow_mut();
        if let Some(session) = session.as_mut().filter(|session| session.order().attempt == attempt) {
            session.on_message(text, now);
        }
        drop(session);
        self.report_agent_events();
    }

    /// How far the provider is with opening the session of this attempt. A released session needs no opening.
    pub(crate) fn agent_opening(&self, attempt: u8) -> Opening {
        let session = self.session.borrow();
        let session = session.as_ref().filter(|session| session.order().attempt == attempt);
        session.map_or(Opening::Done, AgentSession::opening)
    }

    /// The socket of this attempt has closed.
    pub(crate) fn socket_closed(&self, attempt: u8, end: SocketEnd) {
        let mut session = self.session.borrow_mut();
        if let Some(session) = session.as_mut().filter(|session| session.order().attempt == attempt) {
            session.on_closed(end);
        }
        drop(session);
        self.report_agent_events();
    }

    /// Call before an upload request is sent: its first piece goes out together with its head.
    pub(crate) fn attach(&self, upload: &Rc<UploadBody>, now: Instant) {
        self.playout.borrow_mut().attach(upload, now, self.session.borrow_mut().as_mut());
    }

    /// The upload request has ended. Returns the reason, for the retry.
    pub(crate) fn detach(&self, end: StreamEnd, now: Instant) -> AttemptError {
        self.playout.borrow_mut().detach(end, now, self.session.borrow_mut().as_mut())
    }

    /// Sets whether another process plays into the leg.
    pub(crate) fn set_elsewhere(&self, is_elsewhere: bool) {
        self.elsewhere.set(is_elsewhere);
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere.get()
    }

    /// Whether the PBX takes audio for the caller.
    pub(crate) fn is_open(&self) -> bool {
        self.playout.borrow().is_open()
    }

    /// Whether caller or agent is in the middle of something.
    pub(crate) fn is_in_turn(&self, now: Instant) -> bool {
        self.session.borrow().as_ref().is_some_and(|session| session.is_in_turn(now))
    }

    /// When the caller's audio last came; none before the first.
    pub(crate) fn caller_heard(&self) -> Option<Instant> {
        self.caller_heard.get()
    }

    /// Reports to the owner; does nothing after `Closed`.
    pub(crate) fn report(&self, what: LegAudioEvent) {
        self.playout.borrow().report(clock::now(), what);
    }

    /// Reports the failure and ends the audio.
    pub(crate) fn fail(&self, failure: StreamFailure) {
        self.report(LegAudioEvent::Failed(failure));
        self.close();
    }

    /// Ends the audio now. The upload request is ended properly unless a piece is stuck in it.
    pub(crate) fn close(&self) {
        self.release_agent();
        let stats =
            ConversationStats { caller_bytes: self.caller_bytes.get(), agents: self.agent_stats.get() };
        self.playout.borrow_mut().close(Instant::now(), stats);
        self.taps.close();
        self.closing.notify_one();
    }

    /// Waits for [`Self::close`].
    pub(crate) async fn closing(&self) {
        self.closing.notified().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.playout.borrow().is_closed()
    }

    /// Takes no more commands. An owner who came too late hears that the audio has ended.
    pub(crate) fn refuse_commands(&self) {
        for command in self.commands.close() {
            if let LegCommand::ChangeOwner(reports, _) = command {
                for what in [
                    LegAudioEvent::Failed(StreamFailure::CutForGood),
                    LegAudioEvent::Closed(LegAudioStats::default()),
                ] {
                    reports.do_send(LegReport { at: clock::now(), what });
                }
            }
        }
    }
}
