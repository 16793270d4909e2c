//! `precall check --live-call`: measures a 3CX PBX with one real call.
//!
//! precall relies on documents and captures. Where they are silent, it accepts several kinds of answer. This check
//! prints which kind a PBX gives. It has its own client, which shows every answer unchanged.

mod actions;
mod audio;
mod events;
mod finding;
mod leg;
mod look;
mod pbx;
mod post_stream;
mod socket;
#[cfg(test)]
mod tests;
mod token;
mod until;

use std::time::{Duration, Instant};

use serde_json::Value;

use actions::Results;
use finding::Findings;
pub(crate) use finding::{Finding, Verdict};
use leg::LegToDrop;
pub(crate) use leg::Way;
pub(crate) use look::{PbxSight, Refusal, SeenDn, TokenRefusal, look};
pub(crate) use pbx::Access;
use pbx::Pbx;
use post_stream::PostStream;
use socket::Socket;

/// Time limit for all measurements.
const WHOLE: Duration = Duration::from_secs(165);
/// Time limit for dropping the leg afterwards.
const LET_GO_WITHIN: Duration = Duration::from_secs(10);
/// Time needed after an unanswered `routeto`.
const AFTER_ROUTETO: Duration = Duration::from_secs(12);

/// Findings that need a call, in order. If the call ends early, the rest is reported as not measured.
const OF_A_CALL: [&str; 24] = [
    "makecall: status",
    "makecall: result.id",
    "GET stream before Connected",
    "POST stream before Connected",
    "leg: direct_control",
    "leg: party_did",
    "GET stream from Connected on",
    "POST stream from Connected on",
    "second POST stream",
    "play-out: 1 s at once",
    "play-out: 4 s ahead",
    "attach: status",
    "WebSocket request: keys",
    "events: sequence",
    "token re-issued: old token",
    "token re-issued: GET stream",
    "token re-issued: POST stream",
    "token re-issued: WebSocket",
    "events: Upserts",
    "events: attached_data of Upserts",
    "routeto: default timeout",
    "drop: status",
    "drop: streams",
    "drop: the leg afterwards",
];

/// What to measure.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Address and credentials of the PBX.
    pub(crate) access: Access,
    /// How the call starts.
    pub(crate) way: Way,
    /// A DN that rings unanswered, to measure the default timeout of `routeto`.
    pub(crate) routeto: Option<String>,
}

/// Result of the check.
#[derive(Debug)]
pub(crate) struct Report {
    /// One finding for each open question.
    pub(crate) findings: Vec<Finding>,
    /// Why not everything was measured.
    pub(crate) problem: Option<String>,
    /// Why the leg may still be there.
    pub(crate) left_behind: Option<String>,
}

/// Makes or awaits the call, measures, and drops it. Ends within three minutes, or when `stop` completes. Calls `tell`
/// with each finding at once. Needs an actix system.
pub(crate) async fn run(
    plan: Plan,
    stop: impl Future<Output = ()>,
    tell: impl Fn(&Finding) + 'static,
) -> Report {
    let pbx = Pbx::new(plan.access.clone());
    let (to_drop, mut findings) = (LegToDrop::default(), Findings::reporting_to(tell));
    let measuring = tokio::time::timeout(WHOLE, measure(&pbx, &plan, &to_drop, &mut findings));
    let problem = tokio::select! {
        measured = measuring => match measured {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some(format!("not finished after {} s", WHOLE.as_secs())),
        },
        () = stop => Some("the check was stopped".to_owned()),
    };
    let letting_go = tokio::time::timeout(LET_GO_WITHIN, to_drop.drop_all(&pbx)).await;
    let left_behind = letting_go.unwrap_or_else(|_| Err("no answer in time".to_owned())).err();
    let why = problem.as_deref().unwrap_or("not part of this kind of call");
    for name in OF_A_CALL {
        if !findings.has(name) {
            findings.not_measured(name, why);
        }
    }
    findings.not_measured("voicemail destination", "precall sends no call to a mailbox");
    findings.not_measured("call flow: HMAC in C#", "shown when the webhook of docs/3CX.md is accepted");
    findings.not_measured("trunk: X- headers", "visible only at the other end of the trunk");
    Report { findings: findings.into_lines(), problem, left_behind }
}

async fn measure(pbx: &Pbx, plan: &Plan, to_drop: &LegToDrop, findings: &mut Findings) -> Result<(), String> {
    let begun = Instant::now();
    token::first(pbx, findings).await?;
    let mut socket = opened(pbx, findings).await?;
    listed(pbx, findings).await?;
    let mut results = Results::default();
    let leg = match &plan.way {
        Way::Ring(number) => {
            let (leg, result) = leg::ring(pbx, number, to_drop, findings).await?;
            results.note(&result);
            leg
        }
        Way::Wait => leg::wait(pbx, &socket, to_drop).await?,
    };
    let shown = leg::look(pbx, &leg).await?.json();
    if shown.get("status").and_then(Value::as_str).is_some_and(|status| status != "Connected") {
        audio::too_early(pbx, &leg, findings).await?;
    }
    let shown = leg::connected(pbx, &socket, &leg, findings).await?;
    described(&shown, &plan.way, findings);

    let (get, post) = audio::open(pbx, &leg, findings).await?;
    let post = audio::second_post(pbx, &leg, post, findings).await?;
    audio::far_ahead(pbx, &leg, post, findings).await?;
    actions::attach(pbx, &leg, &mut results, findings).await?;
    let form = events::request(pbx, &socket, findings).await;
    events::sequence(pbx, &socket, form, findings).await?;

    let mut post = PostStream::open(pbx.access(), &pbx.token(), &leg).await?;
    token::again(pbx, &leg, &get, &mut post, &socket, findings).await?;
    events::upserts(pbx, &leg, &socket, findings);
    if socket.closed_at().is_some() {
        socket = Socket::open(pbx).await?;
    }
    leg::still_there(pbx, &leg).await?;
    let mut streams = Some((get, post));
    match &plan.routeto {
        None => findings.not_measured("routeto: default timeout", "only with --routeto DN"),
        Some(destination) => {
            let limit = WHOLE.saturating_sub(begun.elapsed()).saturating_sub(AFTER_ROUTETO);
            actions::routeto(pbx, &leg, destination, limit, findings).await;
            streams = streams.filter(|(get, _)| get.ended().is_none());
        }
    }
    actions::drop_leg(pbx, &leg, to_drop, streams, &mut results, findings).await?;
    results.tell(findings);
    drop(socket);
    Ok(())
}

async fn opened(pbx: &Pbx, findings: &mut Findings) -> Result<Socket, String> {
    let begun = Instant::now();
    let socket =
        Socket::open(pbx).await.map_err(|why| format!("the event WebSocket does not open: {why}"))?;
    let value = format!("101 after {} ms", begun.elapsed().as_millis());
    findings.measured("WebSocket: upgrade", value, "101", true);
    Ok(socket)
}

async fn listed(pbx: &Pbx, findings: &mut Findings) -> Result<(), String> {
    let answer = pbx.get(&["callcontrol"]).await?;
    let list = answer.json();
    let dns = list.as_array().filter(|_| answer.is_success());
    let dns = dns.ok_or_else(|| format!("the DNs cannot be listed: {answer}"))?;
    let text = |dn: &Value, name: &str| dn.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let own = dns.iter().find(|dn| text(dn, "dn") == pbx.own_dn());
    let own = own.ok_or("THREECX_CLIENT_ID is not among the DNs that the client sees")?;
    let devices = own.get("devices").and_then(Value::as_array).map_or(0, Vec::len);
    let agent = own.pointer("/devices/0/user_agent").and_then(Value::as_str).unwrap_or("no device");
    let kind = text(own, "type");
    let value = format!("{kind}, {devices} devices ({agent}); {} DNs are visible", dns.len());
    findings.measured(
        "list: own DN",
        value,
        "Wroutepoint with one device",
        kind == "Wroutepoint" && devices == 1,
    );
    Ok(())
}

fn described(shown: &Value, way: &Way, findings: &mut Findings) {
    const CONTROL: &str = "leg: direct_control";
    match shown.get("direct_control") {
        Some(value) => findings.measured(CONTROL, value, "false", *value == Value::Bool(false)),
        None => findings.measured(CONTROL, "missing", "false", false),
    }
    const DID: &str = "leg: party_did";
    let did = shown.get("party_did").and_then(Value::as_str).unwrap_or_default();
    match way {
        Way::Ring(_) => {
            findings.not_measured(DID, "an outbound call has none: `--live-call wait` measures it")
        }
        Way::Wait if did.is_empty() => findings.measured(DID, "empty", "empty", true),
        Way::Wait => {
            findings.measured(DID, format_args!("filled ({} characters)", did.len()), "empty", false)
        }
    }
}
