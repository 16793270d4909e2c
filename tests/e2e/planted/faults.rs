//! The faults of each peer. Their answers, close frames and messages repeat what was planted.

use precall_simulators::elevenlabs::{self, Act, Agent, Say, Script, Step};
use precall_simulators::threecx::{self, EventFault, StreamFault, WebhookFault, WsFault};
use serde_json::json;

use super::{AGENT_WORD, CALLER_WORD, PBX_SECRET, PROVIDER_KEY, WEBHOOK_TOKEN, number};
use crate::support::allowing_agent;

/// A token as 3CX and others issue them.
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";

/// What an answer of a peer repeats: everything that it knows.
pub fn echo() -> String {
    format!(
        "refused for {} with {PROVIDER_KEY} {PBX_SECRET} at https://files.example.com/a.wav?token={WEBHOOK_TOKEN} \
         (Authorization: Bearer {JWT}, call +12022555501, 202 255 5501)",
        number(0)
    )
}

/// The same in pieces of at most 123 bytes: a close frame has no room for more.
pub fn close_reasons() -> [String; 4] {
    [
        format!("refused for {} and 202 255-5501, key {PROVIDER_KEY}", number(0)),
        format!("call 1 202 255 5501 at wss://x.example/?token={WEBHOOK_TOKEN}"),
        format!("client {PBX_SECRET}, caller +12022555501"),
        format!("Authorization: Bearer {JWT} for (202) 255-5501"),
    ]
}

/// A word of the agent, one of the caller, and so on, for longer than any call of this test.
pub fn agent() -> Agent {
    let turn = [
        Act::Say(Say { ms: Some(300), text: format!("A {AGENT_WORD}, I say."), ..Say::default() }),
        Act::Transcribe { text: format!("The {CALLER_WORD}, please.") },
        Act::Wait { ms: 100 },
    ];
    let script = turn.into_iter().cycle().take(198).map(Step::Act).collect();
    Agent { script: Script::new(script).unwrap(), ..allowing_agent() }
}

/// Each conversation ends in another way, soon after its begin.
pub fn closing_agent() -> Agent {
    let mut endings = Vec::new();
    for (reason, code) in close_reasons().into_iter().zip([1008, 1011, 1002, 3000]) {
        let error_type = "planted".to_owned();
        endings.push(vec![Act::Close { code, reason: reason.clone(), error_type: None }]);
        endings.push(vec![
            Act::Error { code, error_type: error_type.clone(), message: echo() },
            Act::Close { code, reason: reason.clone(), error_type: Some(error_type) },
        ]);
        endings.push(vec![
            Act::Say(Say { ms: Some(200), text: format!("A {AGENT_WORD}."), ..Say::default() }),
            Act::Close { code, reason, error_type: None },
        ]);
    }
    let script = |acts: Vec<Act>| Script::new(acts.into_iter().map(Step::Act).collect()).unwrap();
    Agent { dialogues: endings.into_iter().map(script).collect(), ..agent() }
}

/// The faults of ElevenLabs.
pub fn of_elevenlabs() -> Vec<elevenlabs::Fault> {
    let paths = [
        "/v1/voices/add",
        "/v1/convai/conversation/get-signed-url",
        "/v1/convai/conversation?",
        "/v1/convai/agents",
    ];
    let on = |path: &str| elevenlabs::Fault { times: Some(1), ..elevenlabs::Fault::on(path) };
    let mut faults = Vec::new();
    for path in paths {
        for status in [401, 422, 429, 500] {
            let body = json!({ "detail": { "status": "planted", "message": echo() } });
            let fault = elevenlabs::Fault { status: Some(status), body: Some(body), ..on(path) };
            faults.push(fault);
        }
        faults.push(elevenlabs::Fault { status: Some(502), body: Some(json!(echo())), ..on(path) });
        faults.push(elevenlabs::Fault { close: true, ..on(path) });
        faults.push(elevenlabs::Fault { body: Some(json!([echo()])), ..on(path) });
    }
    faults
}

/// The faults of 3CX.
pub fn of_3cx() -> Vec<threecx::Fault> {
    let mut faults = Vec::new();
    for (path, suffix) in [
        ("/connect/token", ""),
        ("/callcontrol", "/answer"),
        ("/callcontrol", "/drop"),
        ("/callcontrol", "/stream"),
        ("/callcontrol/ws", ""),
        ("/callcontrol", ""),
    ] {
        let on = || threecx::Fault { suffix: suffix.to_owned(), times: Some(1), ..threecx::Fault::on(path) };
        for status in [401, 403, 422, 500] {
            let body = Some(json!({ "error": "planted", "error_description": echo() }));
            faults.push(threecx::Fault { status: Some(status), body, ..on() });
        }
        faults.push(threecx::Fault { close: true, ..on() });
        faults.push(threecx::Fault { cut_response: true, ..on() });
    }
    let plain = threecx::Fault::default;
    for ws in [WsFault::Close, WsFault::Stall, WsFault::CloseOnToken] {
        faults.push(threecx::Fault { ws: Some(ws), ..plain() });
    }
    for streams in [StreamFault::Reset, StreamFault::CloseOnToken, StreamFault::Stall, StreamFault::Deaf] {
        faults.push(threecx::Fault { streams: Some(streams), ..plain() });
    }
    for events in [EventFault::MissedRemove, EventFault::UpsertAfterRemove, EventFault::Reorder] {
        faults.push(threecx::Fault { events: Some(events), ..plain() });
    }
    for webhook in [WebhookFault::BadSignature, WebhookFault::Stale, WebhookFault::Unsigned] {
        faults.push(threecx::Fault { webhook: Some(webhook), ..plain() });
    }
    faults
}

/// The event socket of 3CX is closed with this reason.
pub fn closed_socket(reason: &str) -> threecx::Fault {
    threecx::Fault {
        ws: Some(WsFault::Close),
        ws_close_code: Some(1008),
        ws_close_reason: reason.to_owned(),
        ..threecx::Fault::default()
    }
}

/// SQL: from now on, some rows of these tables are refused, each time with another SQLSTATE. Message, detail, hint and
/// a warning repeat what was planted.
pub fn of_the_database() -> String {
    let echo = echo();
    let mut sql = format!(
        "create sequence planted_faults;
        create function planted() returns trigger language plpgsql as $$
        declare
            n bigint := nextval('planted_faults');
            codes text[] := array['23514', '22P02', 'P0001', '42501', '54000', '53400', 'XX000'];
        begin
            if n % 5 = 0 then
                raise warning '%', '{echo}';
                raise exception using errcode = codes[1 + (n / 5) % 7], message = '{echo}',
                    detail = 'Failing row contains ({echo}).', hint = 'Use {echo}.';
            end if;
            return new;
        end $$;"
    );
    for table in ["call_events", "call_log", "webhooks", "voice_clone_log"] {
        sql += &format!(
            "create trigger planted before insert or update on {table} for each row execute function planted();"
        );
    }
    sql
}

/// SQL: the end of [`of_the_database`].
pub const DATABASE_IS_WELL: &str = "drop function planted() cascade";
