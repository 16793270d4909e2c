//! Which endpoint a request is for (facts page, section 1.2), and what it answers.

use std::time::Instant;

use actix_web::http::header::HeaderMap;
use actix_web::web::Data;

use super::answer::Answer;
use super::context::Context;
use super::leg::{Control, device_id};
use super::order::Order;
use super::{actions, directory, token_endpoint};
use crate::shared::body::Body;

/// One endpoint of the PBX, with the names in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Token,
    All,
    Socket,
    /// `All`, as the second client sees it.
    Only(String),
    Dn(String),
    Devices(String),
    Device(String, String),
    MakeCall(String),
    MakeCallOn(String, String),
    Participants(String),
    Participant(String, String),
    Hear(String, String),
    Speak(String, String),
    Act(String, String, String),
}

/// The endpoint of a request.
///
/// # Errors
/// 404 and 405.
pub(super) fn endpoint(method: &str, path: &str) -> Result<Endpoint, Answer> {
    let decoded: Vec<String> = path.split('/').skip(1).map(decoded).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(Answer::bare(404));
    }
    let text = |text: &str| text.to_owned();
    let (allowed, found) = match segments.as_slice() {
        ["connect", "token"] => ("POST", Endpoint::Token),
        ["callcontrol"] => ("GET", Endpoint::All),
        ["callcontrol", "ws"] => ("GET", Endpoint::Socket),
        ["callcontrol", dn] => ("GET", Endpoint::Dn(text(dn))),
        ["callcontrol", dn, "devices"] => ("GET", Endpoint::Devices(text(dn))),
        ["callcontrol", dn, "devices", id] => ("GET", Endpoint::Device(text(dn), text(id))),
        ["callcontrol", dn, "makecall"] => ("POST", Endpoint::MakeCall(text(dn))),
        ["callcontrol", dn, "devices", id, "makecall"] => ("POST", Endpoint::MakeCallOn(text(dn), text(id))),
        ["callcontrol", dn, "participants"] => ("GET", Endpoint::Participants(text(dn))),
        ["callcontrol", dn, "participants", id] => ("GET", Endpoint::Participant(text(dn), text(id))),
        ["callcontrol", dn, "participants", id, "stream"] if method == "POST" => {
            ("GET, POST", Endpoint::Speak(text(dn), text(id)))
        }
        ["callcontrol", dn, "participants", id, "stream"] => {
            ("GET, POST", Endpoint::Hear(text(dn), text(id)))
        }
        ["callcontrol", dn, "participants", id, action] => {
            ("POST", Endpoint::Act(text(dn), text(id), text(action)))
        }
        _ => return Err(Answer::bare(404)),
    };
    if !allowed.split(", ").any(|one| one == method) {
        return Err(Answer::bare(405).with_header("allow", allowed));
    }
    Ok(found)
}

/// The endpoint of a request over the socket, which has no method.
///
/// # Errors
/// 404, also for what makes no sense over a socket.
pub(super) fn of_socket(path: &str) -> Result<Endpoint, Answer> {
    let found = endpoint("GET", path)
        .or_else(|refused| if refused.status == 405 { endpoint("POST", path) } else { Err(refused) })?;
    match found {
        Endpoint::Token | Endpoint::Socket | Endpoint::Hear(..) | Endpoint::Speak(..) => {
            Err(Answer::bare(404))
        }
        other => Ok(other),
    }
}

/// Whether the client was granted an endpoint.
///
/// # Errors
/// 403 when it was not.
pub(super) fn check_grants(context: &Data<Context>, endpoint: &Endpoint) -> Result<(), Answer> {
    let world = context.world();
    let is_granted = match endpoint {
        Endpoint::Token => true,
        Endpoint::Hear(..) | Endpoint::Speak(..) => world.grants.call_control && world.grants.streams,
        _ => world.grants.call_control,
    };
    if is_granted { Ok(()) } else { Err(Answer::bare(403)) }
}

/// The client that sends a request.
///
/// # Errors
/// 401 without a valid token.
pub(super) fn check_token(context: &Data<Context>, headers: &HeaderMap) -> Result<String, Answer> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let world = context.world();
    if let Some(client) = token.and_then(|(_, token)| world.tokens.accepts(token.trim(), Instant::now())) {
        return Ok(client.to_owned());
    }
    Err(Answer::bare(401).with_header("www-authenticate", "Bearer error=\"invalid_token\""))
}

/// What an endpoint is for this client. Each client sees its own route point only; the first one also the extensions.
///
/// # Errors
/// 403 for what it does not see.
pub(super) fn of_client(
    context: &Data<Context>,
    client: &str,
    endpoint: Endpoint,
) -> Result<Endpoint, Answer> {
    let options = &context.shared.options;
    let dn = match &endpoint {
        Endpoint::Token => return Ok(endpoint),
        Endpoint::All | Endpoint::Only(_) if options.is_second(client) => {
            return Ok(Endpoint::Only(client.to_owned()));
        }
        // The second client has no event connection.
        Endpoint::All | Endpoint::Only(_) | Endpoint::Socket => None,
        Endpoint::Dn(dn)
        | Endpoint::Devices(dn)
        | Endpoint::Device(dn, _)
        | Endpoint::MakeCall(dn)
        | Endpoint::MakeCallOn(dn, _)
        | Endpoint::Participants(dn)
        | Endpoint::Participant(dn, _)
        | Endpoint::Hear(dn, _)
        | Endpoint::Speak(dn, _)
        | Endpoint::Act(dn, _, _) => Some(dn),
    };
    let is_seen = match options.is_second(client) {
        true => dn.is_some_and(|dn| dn == client),
        false => dn.is_none_or(|dn| !options.is_second(dn)),
    };
    if is_seen { Ok(endpoint) } else { Err(Answer::bare(403)) }
}

/// Answers everything that is not a stream or a socket.
pub(super) async fn answer(context: &Data<Context>, endpoint: &Endpoint, body: &Body) -> Answer {
    serve(context, endpoint, body).await.unwrap_or_else(|refused| refused)
}

async fn serve(context: &Data<Context>, endpoint: &Endpoint, body: &Body) -> Result<Answer, Answer> {
    check_grants(context, endpoint)?;
    match endpoint {
        Endpoint::Token => Ok(token_endpoint::issue(context, body)),
        Endpoint::All => Ok(directory::all(&context.world())),
        Endpoint::Only(dn) => Ok(directory::only(&context.world(), dn)),
        Endpoint::Dn(dn) => directory::dn(&context.world(), dn),
        Endpoint::Devices(dn) => directory::devices(&context.world(), dn),
        Endpoint::Device(dn, id) => directory::device(&context.world(), dn, id),
        Endpoint::Participants(dn) => directory::participants(&context.world(), dn),
        Endpoint::Participant(dn, id) => directory::participant(&context.world(), dn, id),
        Endpoint::MakeCall(dn) => make_call(context, dn, &device_id(dn), body),
        Endpoint::MakeCallOn(dn, id) => make_call(context, dn, id, body),
        Endpoint::Act(dn, id, action) => Ok(actions::act(context, dn, id, action, Order::of(body)?).await),
        // They are served where the connection is at hand.
        Endpoint::Socket | Endpoint::Hear(..) | Endpoint::Speak(..) => Err(Answer::bare(404)),
    }
}

fn make_call(context: &Data<Context>, dn: &str, device: &str, body: &Body) -> Result<Answer, Answer> {
    directory::device(&context.world(), dn, device)?;
    if context.shared.options.control(dn, true) == Control::Seen {
        return Err(Answer::bare(403));
    }
    Ok(actions::make_call(context, dn, Order::of(body)?))
}

/// Undoes percent encoding; what is no encoding stays as it is.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = after.get(..2).filter(|_| *first == b'%');
        match encoded.and_then(|digits| hex::decode(digits).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
