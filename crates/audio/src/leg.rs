//! One leg as its shard and its tasks see it. All of it happens on the shard's thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::Recipient;
use bytes::Bytes;
use precall_base::clock;
use precall_call::AgentLoss;
use tokio::sync::Notify;

use crate::bridge::agent_event::AgentNews;
use crate::bridge::agent_session::{SocketEnd, Talk};
use crate::bridge::agent_socket::Plan;
use crate::leg_events::{AgentFigures, LegNews, LegReport, StreamFailure};
use crate::leg_handle::{Desk, Wish};
use crate::net::stream_retry::Trouble;
use crate::net::upload_body::Outlet;
use crate::pacer::Lead;
use crate::playlist::Scene;
use crate::playout::{OtherFigures, Speech, StreamEnd};
use crate::sample_framing::WholeSamples;

/// A leg's audio, both ways, and its owner's wishes.
pub(super) struct Leg {
    desk: Arc<Desk>,
    speech: RefCell<Speech>,
    talk: RefCell<Option<Talk>>,
    /// Of agents that are gone.
    agents: Cell<AgentFigures>,
    caller: RefCell<WholeSamples>,
    caller_bytes: Cell<u64>,
    closing: Notify,
}

impl Leg {
    pub(super) fn new(desk: Arc<Desk>, reports: Recipient<LegReport>, scene: Scene, lead: Lead) -> Self {
        Self {
            desk,
            speech: RefCell::new(Speech::new(reports, scene, lead)),
            talk: RefCell::default(),
            agents: Cell::default(),
            caller: RefCell::default(),
            caller_bytes: Cell::new(0),
            closing: Notify::new(),
        }
    }

    /// Writes what is due and reports what was heard.
    pub(super) fn tick(&self, now: Instant) {
        {
            let mut speech = self.speech.borrow_mut();
            #[cfg(test)]
            assert!(!self.desk.takes_panic(), "asked for by a test");
            let mut talk = self.talk.borrow_mut();
            if let Some(talk) = talk.as_mut() {
                let (mark, left) = talk.order().begins;
                if speech.until(mark).is_none_or(|until| until <= left) {
                    talk.begin();
                }
                talk.tick(now, speech.ahead(now));
            }
            speech.tick(now, talk.as_mut());
        }
        self.tell_news();
    }

    /// Does what the owner asked for since the last look. Says which attempts want a session.
    pub(super) fn heed(&self) -> Vec<u8> {
        let now = Instant::now();
        let mut wanted = Vec::new();
        for wish in self.desk.take_wishes() {
            match wish {
                Wish::Play(scene) => {
                    if let Some(talk) = self.talk.borrow_mut().as_mut() {
                        talk.hold();
                    }
                    self.speech.borrow_mut().play(scene);
                }
                Wish::Bring(order) => {
                    self.let_agent_go();
                    wanted.push(order.attempt);
                    *self.talk.borrow_mut() = Some(Talk::new(*order));
                }
                Wish::Connect(attempt) => self.with_talk(attempt, |talk| talk.connect(now)),
                Wish::GoOn(attempt) => self.with_talk(attempt, |talk| talk.go_on(now)),
                Wish::Write(attempt, word) => self.with_talk(attempt, |talk| talk.write(word)),
                Wish::LetGo(attempt) => {
                    let is_its = self.talk.borrow().as_ref().is_some_and(|t| t.order().attempt == attempt);
                    if is_its {
                        self.let_agent_go();
                    }
                }
            }
        }
        if self.desk.is_dropped() {
            self.close();
        }
        wanted
    }

    /// An agent that is not there any more is told of as lost.
    fn with_talk(&self, attempt: u8, act: impl FnOnce(&mut Talk)) {
        let mut talk = self.talk.borrow_mut();
        if let Some(talk) = talk.as_mut().filter(|talk| talk.order().attempt == attempt && !talk.is_gone()) {
            return act(talk);
        }
        drop(talk);
        let detail = "the agent was not there any more".to_owned();
        let what = AgentNews::Lost { why: AgentLoss::Lost, detail };
        self.report(LegNews::Agent { attempt, what });
    }

    fn let_agent_go(&self) {
        if let Some(talk) = self.talk.borrow_mut().take() {
            self.agents.set(self.agents.get().and(talk.figures()));
        }
    }

    fn tell_news(&self) {
        let mut talk = self.talk.borrow_mut();
        let Some(current) = talk.as_mut() else { return };
        let (attempt, news, is_gone) = (current.order().attempt, current.take_news(), current.is_gone());
        drop(talk);
        if is_gone {
            self.let_agent_go();
        }
        for what in news {
            self.report(LegNews::Agent { attempt, what });
        }
    }

    /// What the session of this attempt is opened with; none when nobody wants it any more.
    pub(super) fn session_plan(&self, attempt: u8) -> Option<Plan> {
        let talk = self.talk.borrow();
        let talk = talk.as_ref().filter(|talk| talk.order().attempt == attempt)?;
        Some(Plan {
            url: talk.order().url.clone(),
            initiation: talk.order().initiation.clone(),
            letters: talk.letters(),
            begins: talk.begins(),
        })
    }

    /// The agent of this attempt said something.
    pub(super) fn agent_said(&self, attempt: u8, text: &str, now: Instant) {
        if let Some(talk) = self.talk.borrow_mut().as_mut().filter(|talk| talk.order().attempt == attempt) {
            talk.heard(text, now);
        }
        self.tell_news();
    }

    /// The session of this attempt is over.
    pub(super) fn session_closed(&self, attempt: u8, end: SocketEnd) {
        if let Some(talk) = self.talk.borrow_mut().as_mut().filter(|talk| talk.order().attempt == attempt) {
            talk.closed(end);
        }
        self.tell_news();
    }

    /// A request for the caller's ear is about to be sent: its first piece goes with its head.
    pub(super) fn attach(&self, outlet: &Rc<Outlet>, now: Instant) {
        self.speech.borrow_mut().attach(outlet, now, self.talk.borrow_mut().as_mut());
    }

    /// That request has ended. Says what its next one has to know.
    pub(super) fn detach(&self, end: StreamEnd, now: Instant) -> Trouble {
        self.speech.borrow_mut().detach(end, now, self.talk.borrow_mut().as_mut())
    }

    /// Audio of the caller.
    pub(super) fn hear_caller(&self, chunk: &Bytes) {
        let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.caller_bytes.set(self.caller_bytes.get().saturating_add(bytes));
        let (joined, whole) = self.caller.borrow_mut().of(chunk.clone());
        if let Some(talk) = self.talk.borrow_mut().as_mut() {
            if let Some(sample) = joined {
                talk.hear_caller(&sample);
            }
            talk.hear_caller(&whole);
        }
    }

    /// Tells the owner, who hears nothing after the end.
    pub(super) fn report(&self, what: LegNews) {
        self.speech.borrow().report(clock::now(), what);
    }

    /// The audio cannot go on.
    pub(super) fn fail(&self, failure: StreamFailure) {
        self.report(LegNews::Failed(failure));
        self.close();
    }

    /// Ends the audio now. The request that carries it is ended properly where that is possible.
    pub(super) fn close(&self) {
        self.let_agent_go();
        let figures = OtherFigures { caller_bytes: self.caller_bytes.get(), agents: self.agents.get() };
        self.speech.borrow_mut().close(Instant::now(), figures);
        self.closing.notify_one();
    }

    /// Waits for the end.
    pub(super) async fn closing(&self) {
        self.closing.notified().await;
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.speech.borrow().is_gone()
    }
}
