//! The control requests, `/sim/...`. They need no token and are not recorded.
//!
//! | request | does |
//! |---|---|
//! | `POST /sim/calls` | places a call, see `NewCall` and `front_door`; answers `{call_id, participant_id}` |
//! | `GET /sim/calls`, `GET /sim/calls/{call_id}` | see `CallReport`; a repeated id is the newer call |
//! | `GET /sim/calls/{call_id}/audio.wav` | what the caller heard from the first byte on: mono, 16 bits, 8 kHz |
//! | `GET /sim/calls/{call_id}/arrivals` | when and how much audio arrived: `[{after_ms, bytes}]` |
//! | `POST /sim/calls/{call_id}/hangup` | the caller hangs up |
//! | `POST /sim/calls/{call_id}/dtmf` | `{digits}`: the caller presses keys, sent as one event |
//! | `GET`, `PUT`, `DELETE /sim/routeto`, `/sim/makecall` | outcomes of transfers and of own calls: see `script` |
//! | `GET`, `PUT`, `DELETE /sim/faults` | see `faults` |
//! | `GET`, `PUT`, `DELETE /sim/grants` | what the API client may do, and the type of its DN: see `grants` |
//! | `POST /sim/restart` | the PBX is restarted: all calls vanish, ids start again, WebSockets are dropped |
//! | `POST /sim/tokens/revoke` | revokes every token |
//! | `GET /sim/state` | `{live_calls, legs, websockets, websockets_opened, tokens_issued, generation}` |
//! | `GET`, `DELETE /sim/requests` | the requests to the PBX's API; `status` is null without an answer |
//! | `GET`, `DELETE /sim/webhooks` | every webhook posted: `[{at, event_type, call_id, attempt, status}]` |

use std::time::{Duration, Instant};

use actix_web::web::Data;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, EndedBy, NewCall};
use super::context::Context;
use super::ear;
use super::ending::Ending;
use super::faults::{Fault, StreamFault, WsFault};
use super::grants::Grants;
use super::report::CallReport;
use super::script::{MOST_ENTRIES, Turn};
use super::world::{Shared, World};
use crate::shared::body::Body;
use crate::shared::control::{Refusal, check_answer, parsed, parsed_list};
use crate::shared::fault_list::MOST_FAULTS;

/// Most keys pressed at once.
const MOST_DIGITS: usize = 64;

/// Answers a control request.
pub(super) async fn answer(context: &Data<Context>, method: &str, path: &str, body: &Body) -> Answer {
    serve(&context.shared, method, path, body).unwrap_or_else(|refused| refused)
}

fn serve(shared: &Shared, method: &str, path: &str, body: &Body) -> Result<Answer, Answer> {
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let now = Instant::now();
    match (method, segments.as_slice()) {
        ("POST", ["calls"]) => {
            let call: NewCall = parsed(body)?;
            let placed =
                shared.change(|world| world.place(call, now)).map_err(|why| Answer::refused(400, &why))?;
            Ok(Answer::ok(json!({"call_id": placed.call_id, "participant_id": placed.participant_id})))
        }
        ("GET", ["calls"]) => Ok(Answer::ok(json!(reports(&shared.world())))),
        ("GET", ["calls", id]) => {
            report(&shared.world(), id).map(|report| Answer::ok(json!(report))).ok_or_else(missing)
        }
        ("GET", ["calls", id, "audio.wav"]) => {
            let heard = with_call(&shared.world(), id, |call| ear::wav(call.ear.sound(now)));
            heard.map(|wav| Answer::bytes("audio/wav", wav)).ok_or_else(missing)
        }
        ("GET", ["calls", id, "arrivals"]) => {
            let arrivals = with_call(&shared.world(), id, |call| json!(call.ear.arrivals()));
            arrivals.map(Answer::ok).ok_or_else(missing)
        }
        ("POST", ["calls", id, "hangup"]) => {
            done_to(shared, id, |world, serial| world.end(serial, EndedBy::Caller, now))
        }
        ("POST", ["calls", id, "dtmf"]) => {
            let digits = digits(body)?;
            done_to(shared, id, |world, serial| world.press(serial, &digits, now))
        }
        ("GET", ["routeto"]) => Ok(Answer::ok(json!(shared.world().transfers.list()))),
        ("PUT", ["routeto"]) => {
            let turns = turns(body)?;
            Ok(done(|| shared.world().transfers.set(turns)))
        }
        ("DELETE", ["routeto"]) => Ok(done(|| shared.world().transfers.set(Vec::new()))),
        ("GET", ["makecall"]) => Ok(Answer::ok(json!(shared.world().dials.list()))),
        ("PUT", ["makecall"]) => {
            let turns = turns(body)?;
            Ok(done(|| shared.world().dials.set(turns)))
        }
        ("DELETE", ["makecall"]) => Ok(done(|| shared.world().dials.set(Vec::new()))),
        ("GET", ["faults"]) => Ok(Answer::ok(json!(shared.world().faults.list()))),
        ("PUT", ["faults"]) => {
            let faults = faults(body)?;
            Ok(done(|| shared.world().misbehave(faults, now)))
        }
        ("DELETE", ["faults"]) => Ok(done(|| shared.world().faults.clear())),
        ("GET", ["grants"]) => Ok(Answer::ok(json!(shared.world().grants))),
        ("PUT", ["grants"]) => {
            let grants: Grants = parsed(body)?;
            grants.check().map_err(|why| Answer::refused(400, &why))?;
            Ok(done(|| shared.world().grants = grants))
        }
        ("DELETE", ["grants"]) => Ok(done(|| shared.world().grants = Grants::default())),
        ("POST", ["restart"]) => Ok(done(|| shared.change(|world| world.restart(now)))),
        ("POST", ["tokens", "revoke"]) => Ok(done(|| shared.world().tokens.revoke_all())),
        ("GET", ["state"]) => Ok(Answer::ok(state(&shared.world()))),
        ("GET", ["requests"]) => Ok(Answer::ok(Value::Array(shared.world().requests.shown()))),
        ("DELETE", ["requests"]) => Ok(done(|| shared.world().requests.clear())),
        ("GET", ["webhooks"]) => Ok(Answer::ok(Value::Array(shared.world().deliveries.shown()))),
        ("DELETE", ["webhooks"]) => Ok(done(|| shared.world().deliveries.clear())),
        (
            _,
            [
                "calls" | "routeto" | "makecall" | "faults" | "grants" | "restart" | "state" | "requests"
                | "webhooks",
            ],
        ) => Err(Answer::bare(405)),
        _ => Err(Answer::bare(404)),
    }
}

fn missing() -> Answer {
    Answer::refused(404, "there is no such call")
}

fn done(work: impl FnOnce()) -> Answer {
    work();
    Answer::ok(json!({"ok": true}))
}

fn done_to(shared: &Shared, id: &str, work: impl FnOnce(&mut World, u64) -> bool) -> Result<Answer, Answer> {
    let done = shared.change(|world| serial(world, id).map(|serial| work(world, serial)));
    done.map(|done| Answer::ok(json!({"ok": done}))).ok_or_else(missing)
}

pub(super) fn serial(world: &World, call_id: &str) -> Option<u64> {
    world.calls.serial_of(call_id.parse().ok()?)
}

fn with_call<T>(world: &World, call_id: &str, look: impl FnOnce(&Call) -> T) -> Option<T> {
    serial(world, call_id).and_then(|serial| world.calls.get(serial)).map(look)
}

/// The report on one call.
pub(super) fn report(world: &World, call_id: &str) -> Option<CallReport> {
    with_call(world, call_id, |call| CallReport::of(world, call, Instant::now()))
}

/// The reports on all calls that are kept, oldest first.
pub(super) fn reports(world: &World) -> Vec<CallReport> {
    let now = Instant::now();
    world.calls.all().map(|call| CallReport::of(world, call, now)).collect()
}

/// What the caller heard, as a WAV file.
pub(super) fn audio(world: &World, call_id: &str) -> Option<Vec<u8>> {
    with_call(world, call_id, |call| ear::wav(call.ear.sound(Instant::now())))
}

fn state(world: &World) -> Value {
    json!({
        "live_calls": world.calls.live_count(),
        "legs": world.calls.live_calls().map(|call| call.legs.len()).sum::<usize>(),
        "websockets": world.hub.open_now(),
        "websockets_opened": world.hub.opened(),
        "tokens_issued": world.tokens.issued(),
        "generation": world.calls.generation(),
    })
}

fn turns(body: &Body) -> Result<Vec<Turn>, Refusal> {
    let value: Value = parsed(body)?;
    let list = if value.is_array() { value } else { json!([value]) };
    parsed_list(&Body::Json(list), MOST_ENTRIES, "entries")
}

fn digits(body: &Body) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Keys {
        digits: String,
    }
    let Keys { digits } = parsed(body)?;
    let is_key = |key: char| key.is_ascii_digit() || matches!(key, '*' | '#' | 'A'..='D');
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.chars().all(is_key) {
        return Err(Refusal::bad("digits are 1 to 64 of 0-9 * # A-D"));
    }
    Ok(digits)
}

fn faults(body: &Body) -> Result<Vec<Fault>, Refusal> {
    let faults: Vec<Fault> = parsed_list(body, MOST_FAULTS, "faults")?;
    for fault in &faults {
        check_answer(fault.status, &fault.headers)?;
    }
    Ok(faults)
}

impl World {
    /// Sets a new list of faults. Faults of open streams and connections act at once.
    pub(super) fn misbehave(&mut self, faults: Vec<Fault>, now: Instant) {
        let had_stall = self.faults.ws(WsFault::Stall);
        self.faults.set(faults);
        if self.hub.open_now() > 0
            && let Some(fault) = self.faults.take_ws_close()
        {
            self.close_sockets(&fault, now);
        }
        if self.faults.ws(WsFault::Stall) && !had_stall {
            self.hub.stall_all();
        }
        if self.faults.streams(StreamFault::Reset) {
            self.end_all_streams(Ending::Reset);
        }
    }

    /// Closes every WebSocket, and refuses new ones for `ws_down_ms`.
    pub(super) fn close_sockets(&mut self, fault: &Fault, now: Instant) {
        self.hub.close_all(fault.close_code(), &fault.ws_close_reason);
        if fault.ws_down_ms > 0 {
            self.ws_down_until = now.checked_add(Duration::from_millis(fault.ws_down_ms));
        }
    }
}
