//! The PBX: token, our DN and its type, event socket, audio streams, and the destinations of transfers.

use precall_call::Route;
use precall_store::lines::StoredLine;

use super::finding::Judgement;
use super::world::World;
use crate::live_check::{PbxSight, Refusal, SeenDn, TokenRefusal};

/// The type of our own DN, in the PBX's word.
const ROUTE_POINT: &str = "Wroutepoint";
const PERMISSION: &str = "tick \"3CX Call Control API Access\" for the API client (Integrations > API in the admin \
                          console), and check that the licence is Enterprise (AI Edition)";

pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    let Some(control) = &world.config.threecx.call_control else {
        return vec![Judgement::Good(
            "call control is not configured; route callback does not need it".to_owned(),
        )];
    };
    match &world.pbx {
        Some(Ok(sight)) => judge(sight, &control.client_id, control.client_secret.expose()),
        Some(Err(why)) => vec![Judgement::Wrong(why.clone())],
        None => vec![Judgement::Note("not asked (--skip-3cx)".to_owned())],
    }
}

fn judge(sight: &PbxSight, own_dn: &str, secret: &str) -> Vec<Judgement> {
    let mut judgements = vec![token(&sight.token)];
    if sight.token.is_ok() {
        judgements.push(own(&sight.dns, own_dn));
        judgements.push(match &sight.socket {
            Ok(()) => Judgement::Good("the event WebSocket opens".to_owned()),
            Err(words) => Judgement::Wrong(format!(
                "the event WebSocket (/callcontrol/ws) does not open ({words}): precall sees no calls. Let the proxy \
                 in front of the PBX pass WebSockets, or {PERMISSION}"
            )),
        });
        judgements.push(asked("our legs can be listed", &sight.legs));
        judgements.push(asked("audio streams are permitted", &sight.stream));
    }
    let hidden = |text: String| if secret.is_empty() { text } else { text.replace(secret, "***") };
    judgements
        .into_iter()
        .map(|judgement| match judgement {
            Judgement::Good(text) => Judgement::Good(hidden(text)),
            Judgement::Note(text) => Judgement::Note(hidden(text)),
            Judgement::Wrong(text) => Judgement::Wrong(hidden(text)),
        })
        .collect()
}

fn token(token: &Result<(), TokenRefusal>) -> Judgement {
    let Err(TokenRefusal { status, words }) = token else {
        return Judgement::Good("the PBX gives an access token".to_owned());
    };
    Judgement::Wrong(match status {
        Some(400 | 401 | 403) => format!(
            "3CX refuses THREECX_CLIENT_ID and THREECX_CLIENT_SECRET ({words}): correct them, and check the allowed \
             addresses of the API client under Integrations > API in the admin console"
        ),
        Some(404) => {
            "there is no 3CX v20 PBX at THREECX_BASE_URL (404): set it to the web client's address, like \
                      https://pbx.example.com:5001"
                .to_owned()
        }
        Some(status) => {
            format!("3CX gives no access token (status {status}: {words}): check THREECX_BASE_URL")
        }
        None if is_about_trust(words) => format!(
            "the certificate of the PBX is not trusted ({words}): set THREECX_CA_FILE to the certificate of its \
             authority, or correct the host name in THREECX_BASE_URL"
        ),
        None => format!("the PBX cannot be reached ({words}): check THREECX_BASE_URL, DNS and firewall"),
    })
}

fn is_about_trust(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["certificate", "unknownissuer", "tls", "handshake"].iter().any(|sign| words.contains(sign))
}

fn own(dns: &Result<Vec<SeenDn>, Refusal>, own_dn: &str) -> Judgement {
    let dns = match dns {
        Ok(dns) => dns,
        Err(refusal) => return refused("call control (GET /callcontrol)", refusal),
    };
    match dns.iter().find(|seen| seen.dn.eq_ignore_ascii_case(own_dn)) {
        None => Judgement::Wrong(format!(
            "the PBX does not show DN {own_dn} to this API client: correct THREECX_CLIENT_ID"
        )),
        Some(seen) if seen.kind.eq_ignore_ascii_case(ROUTE_POINT) => {
            Judgement::Good(format!("DN {own_dn} is a route point"))
        }
        Some(seen) => Judgement::Wrong(format!(
            "DN {own_dn} is {}, not a route point ({ROUTE_POINT}): calls to it do not reach precall. Set \
             THREECX_CLIENT_ID to the DN of the API client",
            if seen.kind.is_empty() { "of an unknown type" } else { &seen.kind }
        )),
    }
}

fn asked(what: &str, answer: &Result<(), Refusal>) -> Judgement {
    match answer {
        Ok(()) => Judgement::Good(what.to_owned()),
        Err(refusal) => refused(what, refusal),
    }
}

fn refused(what: &str, refusal: &Refusal) -> Judgement {
    let Refusal { status, words } = refusal;
    Judgement::Wrong(match status {
        Some(status @ (401 | 403)) => format!("not so: {what} ({status}: {words}): {PERMISSION}"),
        Some(status) => format!("not so: {what} ({status}: {words})"),
        None => format!("not so: {what} ({words})"),
    })
}

/// The destinations of transfers. Whether a telephone is behind one shows only when it rings.
pub(super) fn destinations(world: &World<'_>) -> Vec<Judgement> {
    let config = world.config;
    let Some(control) = &config.threecx.call_control else { return Vec::new() };
    if config.call.route == Route::Callback {
        return Vec::new();
    }
    let lines = world.database.lines.iter().flat_map(StoredLine::every_settings);
    let of_lines = lines
        .filter_map(|line| Some(("fallback_destination of a line", line.fallback_destination.as_deref()?)));
    let persons = config.agent.persons.iter().map(|(_, to)| ("TRANSFER_DESTINATIONS", to.as_str()));
    let fallback = config.call.fallback_destination.as_deref();
    let agent = config.call.agent_destination.as_deref();
    let all: Vec<(&str, &str)> = fallback
        .map(|to| ("FALLBACK_DESTINATION", to))
        .into_iter()
        .chain(agent.map(|to| ("AGENT_DESTINATION", to)))
        .chain(persons)
        .chain(of_lines)
        .collect();
    let own = control.client_id.as_str();
    let mut judgements: Vec<Judgement> = all
        .iter()
        .filter(|(_, to)| to.eq_ignore_ascii_case(own))
        .map(|(name, to)| {
            Judgement::Wrong(format!(
                "{name} is {to}, precall's own DN: such a call would come back. Name another DN"
            ))
        })
        .collect();
    if fallback.is_none() {
        judgements.push(Judgement::Note(
            "FALLBACK_DESTINATION is not set: a caller whose agent fails hears an apology, and nobody takes the call"
                .to_owned(),
        ));
    }
    if judgements.is_empty() {
        judgements.push(Judgement::Good(format!("none of {} leads back to precall", all.len())));
    }
    judgements
}
