//! The feed of a PBX: reports changes of the legs of our own DN.
//!
//! Runs the token keeper, the socket (opened before the list is requested, so that no event is lost between them),
//! and the list that repairs missed events. While the socket is closed or doubtful, the list is requested every second
//! and takes the place of the events. Only `leg_book` decides what an event means for a leg.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle,
    Supervised, WrapFuture,
};
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::At;
use precall_providers::threecx::access_token::{AccessTokens, TokenPublisher};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::client::ThreeCx;
use precall_providers::threecx::error::ThreeCxError;
use precall_providers::threecx::event::{LegChange, PbxEvent};
use precall_providers::threecx::participant::Participant;
use precall_providers::threecx::settings::Settings;
use precall_providers::threecx::token::{GrantedToken, TokenClient};
use precall_providers::threecx::token_keeper::{TokenEvent, keep};
use slog::{Logger, debug, info, warn};
use tokio::sync::watch;

use crate::durability::persistence_state::PersistenceState;
use crate::pbx::leg_book::{LEGS_MAX, LegBook, LegInput, LegOutput};
use crate::pbx::leg_events::{LookAt, PbxLegChange, PbxLegEvent, Synced};
use crate::pbx::pbx_health::{PbxState, TokenState};

mod trouble;

mod queries;
mod reconnect;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use queries::own_legs;
use queries::{ListError, fetch};
use reconnect::run_sockets;
pub use timing::FeedPace;
use trouble::Trouble;

/// Settings and receivers of a feed.
pub(crate) struct FeedSettings {
    /// Address and account of the PBX.
    pub settings: Arc<Settings>,
    /// The access token, for its users.
    pub tokens: AccessTokens,
    /// Publishes new tokens.
    pub token_publisher: TokenPublisher,
    /// The token that the last leader has left: a new one may end all streams.
    pub inherited: Option<GrantedToken>,
    /// Receives every change of our legs.
    pub news: Recipient<PbxLegEvent>,
    /// Receives every comparison with a list, after its changes.
    pub synced: Recipient<Synced>,
    /// Shows the state of the connection.
    pub state: Arc<PbxState>,
    /// Says whether this process leads: only the leader may ask for a token, because that revokes the one before.
    pub persistence_state: Arc<PersistenceState>,
    /// Intervals and waits.
    pub pace: FeedPace,
    /// The logger.
    pub log: Logger,
}

/// The words of a contest for the tokens.
pub(crate) const CONTESTED: &str = "another program uses the 3CX client THREECX_CLIENT_ID: 3CX allows one access token \
    at a time, and ours is revoked again and again. Callers lose their audio each time. Give each precall, and each \
    other program, an API client of its own; precalls on one database take turns by themselves";

/// Ends the feed and closes its socket.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopFeed;

/// Changes of the socket, in order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct SocketNotice {
    at: At,
    what: SocketChange,
}

#[derive(Debug)]
enum SocketChange {
    Opened,
    Event(PbxEvent),
    /// Nothing was received for some seconds.
    Doubtful {
        answers_pings: bool,
    },
    /// Something was received again.
    Sure,
    Closed(String),
    /// Closed in favour of a socket with a newer token.
    Replaced,
    NotOpened(ThreeCxError),
}

/// The actor of the feed.
pub(crate) struct PbxFeed {
    settings: Arc<Settings>,
    client: ThreeCx,
    token_publisher: Option<TokenPublisher>,
    inherited: Option<GrantedToken>,
    token_client: TokenClient,
    /// Generation of the token in use; the socket follows it.
    fresh: Arc<watch::Sender<u64>>,
    book: LegBook,
    news: Recipient<PbxLegEvent>,
    synced: Recipient<Synced>,
    state: Arc<PbxState>,
    persistence_state: Arc<PersistenceState>,
    pace: FeedPace,
    trouble: Trouble,
    list_retry: Backoff,
    list_refused: Backoff,
    /// While the events are not sure: the longest wait between two lists.
    unsure: Option<Duration>,
    unsure_timer: Option<SpawnHandle>,
    /// Number of the last list request.
    lists: u64,
    /// The running list request.
    listing: Option<u64>,
    last_list: Option<At>,
    list_is_scheduled: bool,
    /// The last list was refused, and its next attempt is not due yet.
    list_is_refused: bool,
    opened_before: bool,
    log: Logger,
}

impl PbxFeed {
    /// The feed of one PBX client. Call it on the arbiter of the feed: its HTTP clients cannot leave their arbiter.
    #[must_use]
    pub fn new(feed: FeedSettings) -> Self {
        let book = LegBook::new(feed.settings.own_dn().clone(), LEGS_MAX);
        let backoff = |(first, max)| Backoff::new(first, max);
        let (list_retry, list_refused) = (backoff(feed.pace.list_retry), backoff(feed.pace.refused));
        Self {
            client: ThreeCx::new(Arc::clone(&feed.settings), feed.tokens),
            token_client: TokenClient::new(Arc::clone(&feed.settings)),
            token_publisher: Some(feed.token_publisher),
            inherited: feed.inherited,
            fresh: Arc::new(watch::Sender::new(0)),
            book,
            news: feed.news,
            synced: feed.synced,
            trouble: Trouble::new(Arc::clone(&feed.state), feed.log.clone()),
            state: feed.state,
            persistence_state: feed.persistence_state,
            pace: feed.pace,
            list_retry,
            list_refused,
            unsure: None,
            unsure_timer: None,
            lists: 0,
            listing: None,
            last_list: None,
            list_is_scheduled: false,
            list_is_refused: false,
            opened_before: false,
            settings: feed.settings,
            log: feed.log,
        }
    }

    /// Starts the token keeper in its own task: the token must survive a panic of the actor.
    fn start_keeper(&mut self, publisher: TokenPublisher) {
        let mut inherited = self.inherited.take();
        let (client, pace, fresh) =
            (self.token_client.clone(), self.pace.keeper.clone(), Arc::clone(&self.fresh));
        let (state, log) = (Arc::clone(&self.state), self.log.clone());
        let mut trouble = Trouble::new(Arc::clone(&self.state), self.log.clone());
        let report = move |news: TokenEvent| {
            let now = clock::now();
            match news {
                TokenEvent::Fresh { generation, life } => {
                    state.set_token(TokenState::Held { generation, since: now, life });
                    trouble.resolved("token requests to 3CX succeed again");
                    debug!(log, "got an access token from 3CX"; "generation" => generation,
                        "life_seconds" => life.as_secs());
                    fresh.send_replace(generation);
                }
                TokenEvent::Failed(error) => {
                    state.set_token_failing(now);
                    if error.is_refusal() {
                        state.set_credentials_refused(error.to_string());
                    }
                    trouble.report(now, &error.to_string());
                }
                TokenEvent::Contested { times, pause } => {
                    state.set_contested(now);
                    trouble.report(now, CONTESTED);
                    warn!(log, "3CX revoked an access token again, waiting before the next one"; "times" => times,
                        "wait_seconds" => pause.as_secs());
                }
            }
        };
        let (leads, without) = (Arc::clone(&self.persistence_state), Arc::clone(&self.state));
        let ask = async move |limit: Duration| {
            if let Some(token) = inherited.take() {
                return Ok(token);
            }
            if !leads.leadership().may_use_pbx() {
                // The one that leads now may have asked. Asking as well would take the legs away from it.
                without.set_without_token();
                leads.leadership().using_pbx().await;
            }
            client.ask_within(limit).await
        };
        actix::spawn(keep(publisher, pace, ask, report));
    }

    fn handle_input(&mut self, input: LegInput, at: At, ctx: &mut Context<Self>) {
        let outputs = self.book.handle(input, at);
        self.state.set_legs(self.book.legs());
        for output in outputs {
            match output {
                LegOutput::Fetch { leg, generation } => self.fetch(leg, generation, ctx),
                LegOutput::Changed { leg, at, what } => self.report(leg, at, *what),
                LegOutput::Synced(legs) => {
                    debug!(self.log, "compared the legs with the list of the PBX"; "legs" => legs.len());
                    self.synced.do_send(Synced { legs });
                }
                LegOutput::Resync => self.schedule_list(at, ctx),
            }
        }
    }

    fn report(&self, leg: LegAddress, at: At, what: PbxLegChange) {
        match &what {
            PbxLegChange::Seen(seen) => {
                debug!(self.log, "a leg appeared or changed"; "leg" => %leg.participant,
                "status" => seen.status.word(), "threecx_call_id" => seen.call_id.as_deref())
            }
            PbxLegChange::Gone => debug!(self.log, "a leg is gone"; "leg" => %leg.participant),
            // The pressed keys may be a PIN: only their count is logged.
            PbxLegChange::Keys(keys) => {
                debug!(self.log, "keys were pressed"; "leg" => %leg.participant, "keys" => keys.len());
            }
        }
        self.news.do_send(PbxLegEvent { leg, at, what });
    }

    fn fetch(&mut self, leg: LegAddress, generation: u64, ctx: &mut Context<Self>) {
        let (client, participant) = (self.client.clone(), leg.participant);
        let fetched = async move { fetch(&client, &leg).await };
        ctx.spawn(fetched.into_actor(self).map(move |found, actor, ctx| {
            actor.handle_input(LegInput::Fetched { participant, generation, found }, clock::now(), ctx);
        }));
    }

    /// Requests the list soon: an event may be lost. What the sequence counts is not documented, so the lists are
    /// limited to one per `hint_interval_min`.
    fn schedule_list(&mut self, now: At, ctx: &mut Context<Self>) {
        if self.list_is_scheduled {
            return;
        }
        let since = self.last_list.map_or(Duration::MAX, |last| now.since(last));
        self.list_is_scheduled = true;
        ctx.run_later(self.pace.hint_interval_min.saturating_sub(since), |actor, ctx| {
            actor.list_is_scheduled = false;
            actor.list(ctx);
        });
    }

    /// The socket is closed or doubtful: lists take the place of events.
    fn unsure(&mut self, at: At, ctx: &mut Context<Self>) {
        self.handle_input(LegInput::Unsure, at, ctx);
        self.list_every(self.pace.unsure_every, ctx);
    }

    /// Requests the list again and again from now on.
    fn list_every(&mut self, longest: Duration, ctx: &mut Context<Self>) {
        if self.unsure != Some(longest) {
            self.unsure = Some(longest);
            self.schedule_unsure(ctx);
        }
    }

    fn schedule_unsure(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.unsure_timer.take() {
            ctx.cancel_future(timer);
        }
        let Some(longest) = self.unsure else { return };
        let wait = Backoff::new(longest, longest).wait();
        self.unsure_timer = Some(ctx.run_later(wait, |actor, ctx| {
            if actor.unsure.is_some() {
                actor.list(ctx);
            }
            actor.unsure_timer = None;
            actor.schedule_unsure(ctx);
        }));
    }

    /// Requests the list, unless a request is running.
    fn list(&mut self, ctx: &mut Context<Self>) {
        if self.listing.is_some() || self.list_is_refused {
            return;
        }
        self.lists = self.lists.saturating_add(1);
        let list = self.lists;
        self.listing = Some(list);
        let now = clock::now();
        self.last_list = Some(now);
        self.handle_input(LegInput::ListRequested { list }, now, ctx);
        let (client, settings) = (self.client.clone(), Arc::clone(&self.settings));
        let listed = async move { own_legs(&client, &settings).await };
        ctx.spawn(listed.into_actor(self).map(move |legs, actor, ctx| actor.listed(list, legs, ctx)));
    }

    fn listed(&mut self, list: u64, legs: Result<Vec<Participant>, ListError>, ctx: &mut Context<Self>) {
        if self.listing != Some(list) {
            return;
        }
        self.listing = None;
        let now = clock::now();
        match legs {
            Ok(legs) => {
                self.list_retry.reset();
                self.list_refused.reset();
                if self.unsure.is_none() {
                    self.trouble.resolved("3CX answers again");
                }
                self.state.set_synced(now);
                self.handle_input(LegInput::ListReceived { list, legs: Some(legs) }, now, ctx);
            }
            Err(error) => {
                self.state.count_failed_resync();
                if let Some(words) = error.describe(&self.settings) {
                    self.trouble.report(now, &words);
                }
                self.handle_input(LegInput::ListReceived { list, legs: None }, now, ctx);
                self.list_is_refused = error.is_refusal();
                let wait = match (self.list_is_refused, &self.unsure) {
                    (true, _) => self.list_refused.wait(),
                    (false, None) => self.list_retry.wait(),
                    // The list is requested again anyway.
                    (false, Some(_)) => return,
                };
                ctx.run_later(wait, |actor, ctx| {
                    actor.list_is_refused = false;
                    actor.list(ctx);
                });
            }
        }
    }

    fn opened(&mut self, at: At, ctx: &mut Context<Self>) {
        if self.opened_before {
            self.state.count_reconnect();
        }
        self.opened_before = true;
        self.unsure = None;
        self.state.set_open();
        info!(self.log, "connected to the 3CX event stream"; "dn" => %self.settings.own_dn(),
            "reconnects" => self.state.reconnects());
        self.handle_input(LegInput::Opened, at, ctx);
        // A list request of the previous connection is outdated.
        self.listing = None;
        self.list(ctx);
    }
}

impl Actor for PbxFeed {
    type Context = Context<Self>;

    /// Also runs after a restart in place: running requests are void, as after a lost connection.
    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(publisher) = self.token_publisher.take() {
            self.start_keeper(publisher);
        }
        self.state.set_closed();
        self.listing = None;
        self.list_is_scheduled = false;
        self.list_is_refused = false;
        self.unsure_timer = None;
        // The list does not wait for a socket that takes long to open: callers of the last start are on the line.
        self.unsure(clock::now(), ctx);
        let (client, pace, fresh) = (self.client.clone(), self.pace.clone(), self.fresh.subscribe());
        let address = ctx.address();
        let report = move |what| address.do_send(SocketNotice { at: clock::now(), what });
        ctx.spawn(async move { run_sockets(&client, &pace, fresh, report).await }.into_actor(self));
        ctx.run_interval(self.pace.reconcile_every, |actor, ctx| actor.list(ctx));
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.state.set_closed();
    }
}

impl Supervised for PbxFeed {}

impl Handler<SocketNotice> for PbxFeed {
    type Result = ();

    fn handle(&mut self, said: SocketNotice, ctx: &mut Context<Self>) {
        let at = said.at;
        match said.what {
            SocketChange::Opened => self.opened(at, ctx),
            SocketChange::Event(event) => self.handle_input(LegInput::Event(event), at, ctx),
            SocketChange::Doubtful { answers_pings: true } => {
                self.state.set_doubtful(true);
                let silent = self.pace.socket.doubt_after.as_secs();
                self.trouble.report(
                    at,
                    &format!(
                        "the 3CX event stream is open but silent (nothing received for {silent} s), the list of legs \
                         is read every second"
                    ),
                );
                self.unsure(at, ctx);
                self.list(ctx);
            }
            SocketChange::Doubtful { answers_pings: false } => self.list_every(self.pace.quiet_every, ctx),
            SocketChange::Sure => {
                self.unsure = None;
                self.handle_input(LegInput::Sure, at, ctx);
                if self.state.set_doubtful(false) {
                    self.schedule_list(at, ctx);
                }
            }
            SocketChange::Closed(why) => {
                self.state.set_closed();
                self.trouble.report(at, &format!("lost the 3CX event stream: {why}"));
                self.unsure(at, ctx);
            }
            SocketChange::Replaced => {
                self.state.set_closed();
                self.unsure(at, ctx);
                debug!(self.log, "reopening the socket with a new token");
            }
            SocketChange::NotOpened(error) => {
                self.state.set_closed();
                if let Some(words) = trouble::describe(&error, &self.settings) {
                    self.trouble.report(at, &words);
                }
                self.unsure(at, ctx);
            }
        }
    }
}

impl Handler<LookAt> for PbxFeed {
    type Result = ();

    fn handle(&mut self, LookAt { leg, is_unknown }: LookAt, ctx: &mut Context<Self>) {
        if is_unknown {
            self.handle_input(LegInput::Forgotten { participant: leg.participant }, clock::now(), ctx);
        }
        let change = Some(LegChange::Upsert { leg, now: None });
        self.handle_input(LegInput::Event(PbxEvent { sequence: None, change }), clock::now(), ctx);
    }
}

impl Handler<StopFeed> for PbxFeed {
    type Result = ();

    fn handle(&mut self, _: StopFeed, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
