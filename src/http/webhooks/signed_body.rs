//! Extractors that carry authority: a handler that has a body `SignedBody` somebody need not ask who sent it.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use futures_util::future::{FutureExt as _, LocalBoxFuture};

use super::recordings::Recordings;
use super::state::WebhookState;
use crate::config::{Sender, WebhookAuth};
use crate::http::app_state::AppState;
use crate::http::body_limits::{drain, fits};
use crate::http::error::{Code, Problem};
use crate::http::settings::Settings;
use crate::http::webhooks::body::{Body, BodyReader, Keeping, Limits};
use crate::http::{client_address, clock};
use crate::signature::{Kind, SignatureError, Verifier};

/// A body that stops for so long is given up.
const IDLE: Duration = Duration::from_secs(10);
/// Recordings come as base64 within JSON: ten hours at 24 kB a second would be more than this.
const RECORDING_MAX: usize = 256 * 1024 * 1024;

/// Somebody who signs what it posts.
pub(crate) trait Signs: 'static {
    /// How it signs.
    const KIND: Kind;
    /// How long the whole body may take.
    const BODY_TIME: Duration;
    /// What is known of the sender.
    fn sender(settings: &Settings) -> &Sender;
    /// How large its bodies may be.
    fn limits(settings: &Settings) -> Limits;
}

/// The 3CX call flow.
pub(crate) struct ThreeCx;

impl Signs for ThreeCx {
    const KIND: Kind = Kind::ThreeCx;
    const BODY_TIME: Duration = Duration::from_secs(10);

    fn sender(settings: &Settings) -> &Sender {
        &settings.threecx
    }

    fn limits(settings: &Settings) -> Limits {
        Limits::plain(settings.body_limit)
    }
}

/// ElevenLabs (facts page, section 5).
pub(crate) struct ElevenLabs;

impl Signs for ElevenLabs {
    const KIND: Kind = Kind::ElevenLabs;
    const BODY_TIME: Duration = Duration::from_secs(120);

    fn sender(settings: &Settings) -> &Sender {
        &settings.elevenlabs
    }

    fn limits(settings: &Settings) -> Limits {
        Limits {
            plain: settings.body_limit,
            transcription: settings.transcription_limit,
            audio: RECORDING_MAX.max(settings.body_limit),
        }
    }
}

/// The body of a request that was sent by `S`.
pub(crate) struct SignedBody<S> {
    pub(crate) body: Body,
    signer: PhantomData<S>,
}

impl<S: Signs> FromRequest for SignedBody<S> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let state = WebhookState::of(&request)?;
            let limits = S::limits(&app.settings);
            let admitted = trusted_address(&request, &app.settings, S::sender(&app.settings))
                .and_then(|()| fits(&request, limits.largest()))
                .and_then(|()| begin_proof::<S>(&request, &app.settings));
            let proof = match admitted {
                Ok(proof) => proof,
                Err(problem) => {
                    drain(&request, &mut payload).await;
                    return Err(problem);
                }
            };
            let reader = BodyReader::new(
                limits,
                proof,
                state.body_room.share(client_address::address(&request, &app.settings)),
            );
            let keeping = state.recordings.as_ref().map_or(Keeping::Nothing, |_| Keeping::File);
            let body =
                read(&mut payload, reader.keeping(keeping), state.recordings.as_ref(), S::BODY_TIME).await?;
            Ok(Self { body, signer: PhantomData })
        }
        .boxed_local()
    }
}

/// Whether the sender may post from where it does.
pub(crate) fn trusted_address(
    request: &HttpRequest,
    settings: &Settings,
    sender: &Sender,
) -> Result<(), Problem> {
    let Some(trusted) = &sender.trusted_ips else { return Ok(()) };
    match client_address::address(request, settings) {
        Some(address) if trusted.contains(address) => Ok(()),
        Some(_) | None => Err(Problem::of(Code::AddressNotTrusted)),
    }
}

fn begin_proof<S: Signs>(request: &HttpRequest, settings: &Settings) -> Result<Option<Verifier>, Problem> {
    let secret = match &S::sender(settings).auth {
        WebhookAuth::Signed(secret) => secret,
        WebhookAuth::OpenInDevelopment => return Ok(None),
    };
    let mut headers = request.headers().get_all(S::KIND.header_name());
    let header = headers.next();
    if headers.next().is_some() {
        // Of two headers nobody knows which one counts.
        return Err(SignatureError::Malformed.into());
    }
    let header = header.map(|value| value.as_bytes());
    Ok(Some(Verifier::begin(S::KIND, secret.expose().as_bytes(), header, clock::now())?))
}

/// Reads a body to its end, within `longest` and with no pause longer than [`IDLE`].
pub(crate) async fn read(
    payload: &mut Payload,
    mut reader: BodyReader,
    recordings: Option<&Recordings>,
    longest: Duration,
) -> Result<Body, Problem> {
    let (begun, mut incoming) = (Instant::now(), None);
    loop {
        let left = longest.saturating_sub(begun.elapsed()).min(IDLE);
        match tokio::time::timeout(left, payload.next()).await {
            Err(_) => return Err(Problem::of(Code::BodyTimeout)),
            Ok(None) => return reader.finish(incoming),
            Ok(Some(Ok(chunk))) => reader.take(&chunk)?,
            Ok(Some(Err(_))) => return Err(Problem::of(Code::BodyBroken)),
        }
        if let (Some(recordings), Some(bytes)) = (recordings, reader.of_recording()) {
            let file = match &mut incoming {
                Some(file) => file,
                None => incoming.insert(recordings.begin().await?),
            };
            file.write(&bytes).await?;
        }
    }
}
