//! The extractor of webhook bodies. A handler that gets a [`SignedBody`] need not check its sender.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt as _;
use futures_util::future::{FutureExt as _, LocalBoxFuture};

use super::proof::Proof;
use super::recordings::Recordings;
use super::state::WebhookState;
use crate::config::{Sender, WebhookAuth};
use crate::http::app_state::AppState;
use crate::http::body_limits::{drain, fits};
use crate::http::error::{Code, Problem};
use crate::http::secret_uses::Webhook;
use crate::http::settings::Settings;
use crate::http::webhooks::body::{Body, BodyReader, Keeping, Limits};
use crate::http::{client_address, clock};
use crate::signature::{Kind, SignatureError, Verifier};

/// Longest pause within a body.
const IDLE: Duration = Duration::from_secs(10);
/// Bytes of a recording, which is base64 in JSON. Ten hours at 24 kB a second would be more.
const RECORDING_MAX: usize = 256 * 1024 * 1024;

/// A sender of signed webhooks.
pub(crate) trait SignedSender: 'static {
    /// Its kind of signature.
    const KIND: Kind;
    /// Its webhook.
    const WEBHOOK: Webhook;
    /// Time limit for the whole body.
    const BODY_TIME: Duration;
    /// Its secret and its trusted addresses.
    fn sender(settings: &Settings) -> &Sender;
    /// Limits of its bodies.
    fn limits(settings: &Settings) -> Limits;
}

/// The 3CX call flow.
pub(crate) struct ThreeCx;

impl SignedSender for ThreeCx {
    const KIND: Kind = Kind::ThreeCx;
    const WEBHOOK: Webhook = Webhook::ThreeCx;
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

impl SignedSender for ElevenLabs {
    const KIND: Kind = Kind::ElevenLabs;
    const WEBHOOK: Webhook = Webhook::Report;
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

/// A body that `S` has sent: its address is trusted and its signature is right.
pub(crate) struct SignedBody<S> {
    pub(crate) body: Body,
    signer: PhantomData<S>,
}

impl<S: SignedSender> FromRequest for SignedBody<S> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let mut payload = payload.take();
        async move {
            let app = AppState::of(&request)?;
            let state = WebhookState::of(&request)?;
            let settings = app.settings();
            let limits = S::limits(&settings);
            let admitted = trusted_address(&request, &settings, S::sender(&settings))
                .and_then(|()| fits(&request, limits.largest()))
                .and_then(|()| begin_verification::<S>(&request, &app));
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
                state.body_room.share(client_address::address(&request, &settings)),
            );
            let keeping = state.recordings.as_ref().map_or(Keeping::Nothing, |_| Keeping::File);
            let body =
                read(&mut payload, reader.keeping(keeping), state.recordings.as_ref(), S::BODY_TIME).await?;
            Ok(Self { body, signer: PhantomData })
        }
        .boxed_local()
    }
}

/// Checks the client address against the trusted addresses of the sender.
///
/// # Errors
/// `address_not_trusted`.
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

fn begin_verification<S: SignedSender>(
    request: &HttpRequest,
    app: &web::Data<AppState>,
) -> Result<Option<Proof>, Problem> {
    let settings = app.settings();
    let sender = S::sender(&settings);
    let secret = match &sender.auth {
        WebhookAuth::Signed(secret) => secret,
        WebhookAuth::OpenInDevelopment => return Ok(None),
    };
    let mut headers = request.headers().get_all(S::KIND.header_name());
    let header = headers.next();
    if headers.next().is_some() {
        // With two headers it is not clear which one counts.
        return Err(SignatureError::Malformed.into());
    }
    let header = header.map(|value| value.as_bytes());
    let secrets: Vec<&[u8]> = [Some(secret), sender.previous.as_ref()]
        .into_iter()
        .flatten()
        .map(|it| it.expose().as_bytes())
        .collect();
    let verifier = Verifier::begin(S::KIND, &secrets, header, clock::wall())?;
    Ok(Some(Proof::new(verifier, S::WEBHOOK, app.clone())))
}

/// Reads a whole body, within `longest` and without a pause longer than [`IDLE`].
///
/// # Errors
/// Too slow, too large, broken, or wrongly signed.
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
        if let (Some(recordings), Some(bytes)) = (recordings, reader.take_recording()) {
            let file = match &mut incoming {
                Some(file) => file,
                None => incoming.insert(recordings.begin().await?),
            };
            file.write(&bytes).await?;
        }
    }
}
