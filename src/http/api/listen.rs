//! `GET /api/v1/calls/{id}/listen`: a live call's audio over a WebSocket, both directions. The call's audio never waits
//! for a listener: the tap between them drops its oldest frames.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Message, MessageStream, Session};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use precall_actors::api::Listening;
use precall_audio::tap::{TAP_RATE, TapChannel, TapEnd, TapFrame, TapReader};
use precall_call::CallId;
use serde::Serialize;
use serde_json::json;
use slog::info;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::auth::{Allowed, Listen};
use super::call_id::call_id;
use super::grant::Grant;
use super::origin;
use super::page::NoQuery;
use super::supervision::{NOT_NOW, is_on, problem};
use crate::http::app_state::AppState;
use crate::http::audit_trail;
use crate::http::error::{Code, Problem};
use crate::http::line_ends::Upgraded;
use crate::http::openapi::problems::{API, CALL, ENGINE, SCOPE, problems};

/// Time between two looks into the tap.
const TICK: Duration = Duration::from_millis(20);
/// Time between two checks: key, settings, shutdown.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Time between two pings. A browser answers them by itself.
const PING_EVERY: Duration = Duration::from_secs(5);
/// A client from which nothing came for this long is gone, or does not read.
const SILENT_AFTER: Duration = Duration::from_secs(15);
/// A connection that takes no message for this long is given up.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// The call says why its audio ended within this time: it waits 2 s for a leg that went.
const REASON_WITHIN: Duration = Duration::from_secs(3);
/// Longest message of a client. It has nothing to say.
const MESSAGE_MAX: usize = 1_024;

/// The first message.
#[derive(Serialize)]
struct Begin {
    #[serde(rename = "type")]
    kind: &'static str,
    call: Uuid,
    rate: u32,
    format: &'static str,
    channels: [&'static str; 2],
}

/// Frames that were dropped so far because the listener was too slow.
#[derive(Serialize)]
struct Dropped {
    #[serde(rename = "type")]
    kind: &'static str,
    frames: u64,
}

/// The last message.
#[derive(Serialize)]
struct End {
    #[serde(rename = "type")]
    kind: &'static str,
    reason: &'static str,
    dropped_frames: u64,
}

problems!(ListenProblems: API, SCOPE, CALL, ENGINE, NOT_NOW,
    &[Code::OriginNotAllowed, Code::UpgradeRequired, Code::TooManyListeners]);

/// A live call's audio, over a WebSocket. The first message is JSON: `{"type":"begin","call","rate":8000,
/// "format":"pcm_s16le","channels":["caller","agent"]}`. Binary messages follow: one byte with the index of the
/// channel, the position of the first sample (unsigned, 4 bytes, little endian), then the samples (signed, 16 bits,
/// little endian, mono). `{"type":"dropped","frames"}` says how many frames were dropped so far,
/// `{"type":"end","reason","dropped_frames"}` is the last message.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/listen", tag = "supervision",
    params(("id" = String, Path, min_length = 1, max_length = 256,
        description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 101, description = "A WebSocket"),
        ListenProblems,
    ),
)]
pub(crate) async fn listen(
    app: web::Data<AppState>,
    operator: Allowed<Listen>,
    id: web::Path<String>,
    _: web::Query<NoQuery>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    origin::check(&request, &app.settings().cors_origins)?;
    let call = call_id(&app, &id).await?;
    is_on(&app)?;
    let (response, session, messages) =
        actix_ws::handle(&request, body).map_err(|_| Problem::of(Code::UpgradeRequired))?;
    let listening = match app.engine.listen(CallId(call.as_u128())).await {
        Ok(listening) => listening,
        Err(refusal) => return Err(problem(&app, call, refusal).await),
    };
    let who = operator.principal.name.clone();
    // Nobody hears a caller without a row that says so.
    if !audit_trail::record(&app, &who, "listen_began", Some(call), None).await {
        return Err(Problem::of(Code::DatabaseUnreachable));
    }
    info!(app.log, "an operator listens to a call"; "call" => %call, "key" => %who);
    if let Some(connection) = request.conn_data::<Upgraded>() {
        connection.set();
    }
    let listener = ListenSession {
        app,
        grant: operator.grant,
        call,
        session,
        listening,
        heard: Instant::now(),
        told_dropped: 0,
    };
    actix_web::rt::spawn(async move { listener.serve(messages, who.to_string()).await });
    Ok(response)
}

/// Why listening ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Tap(TapEnd),
    /// The leg's audio ended, and the call goes on: the leg may come back.
    NoAudio,
    /// The client closed the connection, or it broke.
    ClientLeft,
    /// Nothing came from the client, no answer to a ping either.
    ClientSilent,
    /// The connection took no message.
    TooSlow,
    /// The key was revoked or is not allowed any more.
    KeyRefused,
    /// `SUPERVISION` was switched off.
    SupervisionOff,
    Draining,
}

impl Ended {
    fn name(self) -> &'static str {
        match self {
            Self::Tap(TapEnd::NoticeNotHeard) => "notice_not_heard",
            Self::Tap(TapEnd::CallEnded) => "call_ended",
            Self::Tap(TapEnd::HandedOver) => "handed_over",
            Self::NoAudio => "audio_ended",
            Self::ClientLeft => "client_left",
            Self::ClientSilent => "client_silent",
            Self::TooSlow => "too_slow",
            Self::KeyRefused => "key_refused",
            Self::SupervisionOff => "supervision_off",
            Self::Draining => "draining",
        }
    }
}

/// One connection.
struct ListenSession {
    app: web::Data<AppState>,
    grant: Grant,
    call: Uuid,
    session: Session,
    listening: Listening,
    /// When something came from the client.
    heard: Instant,
    told_dropped: u64,
}

impl ListenSession {
    async fn serve(mut self, messages: MessageStream, who: String) {
        let began = Instant::now();
        let ended = match self.carry(messages).await {
            Ok(ended) | Err(ended) => ended,
        };
        let dropped = self.listening.tap.dropped();
        let end = End { kind: "end", reason: ended.name(), dropped_frames: dropped };
        if !matches!(ended, Ended::ClientLeft | Ended::ClientSilent | Ended::TooSlow) {
            let _may_be_gone = self.say(&end).await;
        }
        let reason = CloseReason { code: CloseCode::Normal, description: Some(ended.name().to_owned()) };
        let _may_be_gone = timeout(SEND_WITHIN, self.session.clone().close(Some(reason))).await;
        let seconds = began.elapsed().as_secs();
        info!(self.app.log, "an operator stopped listening to a call"; "call" => %self.call, "key" => &who,
            "reason" => ended.name(), "seconds" => seconds, "dropped_frames" => dropped);
        let detail = json!({ "seconds": seconds, "reason": ended.name(), "dropped_frames": dropped });
        audit_trail::record(&self.app, &who, "listen_ended", Some(self.call), Some(detail)).await;
    }

    /// Carries audio until something ends it.
    async fn carry(&mut self, messages: MessageStream) -> Result<Ended, Ended> {
        self.say(&Begin {
            kind: "begin",
            call: self.call,
            rate: TAP_RATE,
            format: "pcm_s16le",
            channels: ["caller", "agent"],
        })
        .await?;
        let mut messages = messages.max_frame_size(MESSAGE_MAX);
        let mut frames = TapReader::queue();
        let (mut ticks, mut checks, mut pings) =
            (interval(TICK), interval(CHECK_EVERY), interval(PING_EVERY));
        for interval in [&mut ticks, &mut checks, &mut pings] {
            interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        }
        loop {
            tokio::select! {
                biased;
                message = messages.next() => self.receive(message).await?,
                _ = checks.tick() => self.check().await?,
                _ = pings.tick() => sent(timeout(SEND_WITHIN, self.session.ping(b"")).await)?,
                _ = ticks.tick() => {
                    // Looked at first: what is taken after the end is all there is.
                    let is_closed = self.listening.tap.is_closed();
                    self.listening.tap.take(&mut frames);
                    for frame in frames.drain(..) {
                        sent(timeout(SEND_WITHIN, self.session.binary(message_of(&frame))).await)?;
                    }
                    if is_closed {
                        return Ok(self.why_closed().await);
                    }
                }
            }
        }
    }

    async fn receive(
        &mut self,
        message: Option<Result<Message, actix_ws::ProtocolError>>,
    ) -> Result<(), Ended> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Ping(text))) => sent(timeout(SEND_WITHIN, self.session.pong(&text)).await),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Ended::ClientLeft),
            // A client has nothing to say.
            Some(Ok(
                Message::Pong(_)
                | Message::Nop
                | Message::Text(_)
                | Message::Binary(_)
                | Message::Continuation(_),
            )) => Ok(()),
        }
    }

    /// Whether the client may still listen.
    async fn check(&mut self) -> Result<(), Ended> {
        if self.heard.elapsed() >= SILENT_AFTER {
            return Err(Ended::ClientSilent);
        }
        if self.app.engine.health().draining {
            return Err(Ended::Draining);
        }
        if !self.app.settings().supervision {
            return Err(Ended::SupervisionOff);
        }
        if !self.grant.holds(&self.app) {
            return Err(Ended::KeyRefused);
        }
        let frames = self.listening.tap.dropped();
        if frames > self.told_dropped {
            self.told_dropped = frames;
            self.say(&Dropped { kind: "dropped", frames }).await?;
        }
        Ok(())
    }

    /// The leg's audio ends a moment before the call says why.
    async fn why_closed(&self) -> Ended {
        let until = Instant::now() + REASON_WITHIN;
        loop {
            match self.listening.tap.ended() {
                Some(end) => return Ended::Tap(end),
                None if Instant::now() >= until => return Ended::NoAudio,
                None => tokio::time::sleep(TICK).await,
            }
        }
    }

    async fn say(&mut self, message: &impl Serialize) -> Result<(), Ended> {
        let text = serde_json::to_string(message).unwrap_or_default();
        sent(timeout(SEND_WITHIN, self.session.text(text)).await)
    }
}

fn sent(outcome: Result<Result<(), actix_ws::Closed>, tokio::time::error::Elapsed>) -> Result<(), Ended> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::ClientLeft),
        Err(_) => Err(Ended::TooSlow),
    }
}

/// One byte for the channel, four for the position, the samples.
fn message_of(frame: &TapFrame) -> Bytes {
    let mut message = BytesMut::with_capacity(5 + frame.pcm.len());
    message.put_u8(match frame.channel {
        TapChannel::Caller => 0,
        TapChannel::ToCaller => 1,
    });
    message.put_u32_le(frame.position);
    message.put_slice(&frame.pcm);
    message.freeze()
}
