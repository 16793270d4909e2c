//! Places the calls, by signed 3CX webhooks or at a simulated PBX, and prints a line for each call that is over.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_base::clock;
use precall_simulators::threecx;
use serde_json::Value;
use uuid::Uuid;

use super::DemoError;
use super::callers::Callers;
use super::interrupt::Interrupt;
use crate::signature::{Kind, sign};

/// The called number.
pub(super) const CALLED: &str = "+12025550199";
const POST_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The deadline of one call.
const CALL_WITHIN: Duration = Duration::from_secs(120);

const OVER: &str = "
    select l.id, l.status, l.cause, l.voice_missing, l.timings,
        exists (select from call_events e where e.call = l.id and e.event ->> 'kind' = 'voice_ready'
            and e.event ->> 'source' = 'cache')
    from call_log l where l.id = any($1) and l.state = 'released'";

const OF_PBX: &str = "
    select id from call_log where threecx_call_id = $1 and call_started_at > now() - interval '1 minute'
    order by call_started_at desc limit 1";

/// How calls come in.
pub(super) enum Door<'a> {
    /// By a webhook; precall calls back.
    Webhook {
        /// Where to.
        url: String,
        /// The secret that signs it.
        secret: &'a str,
    },
    /// At a simulated PBX, on a live leg.
    Pbx(&'a threecx::Simulator),
}

/// A call that came in.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    /// Our id.
    pub(super) id: Uuid,
    /// The simulated PBX's.
    pub(super) pbx_id: Option<String>,
}

/// One run of calls.
pub(super) struct Ringing<'a> {
    pub(super) door: Door<'a>,
    pub(super) pool: Pool,
    pub(super) callers: &'a Callers,
    pub(super) interrupt: &'a Interrupt,
}

/// The calls of one run.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Calls that ended by themselves.
    pub(super) over: Vec<Rung>,
    /// Calls that were live when the demo was told to end.
    pub(super) cut: Vec<Rung>,
}

impl Ringing<'_> {
    /// Rings `calls` times, `rate` a second at most, until all is over or the demo is told to end.
    pub(super) async fn ring(&self, calls: Option<u32>, rate: f64) -> Result<Calls, DemoError> {
        let run = Uuid::new_v4().simple().to_string();
        let client = awc::Client::builder().timeout(POST_WITHIN).finish();
        let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut waiting: VecDeque<u32> = VecDeque::new();
        let mut next = 0_u32;
        let mut live: HashMap<Uuid, (u32, tokio::time::Instant)> = HashMap::new();
        let mut busy: HashSet<&str> = HashSet::new();
        let (mut all, mut completed) = (Vec::<Rung>::new(), 0_usize);
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    if calls.is_none_or(|calls| next < calls) {
                        waiting.push_back(next);
                        next = next.saturating_add(1);
                    }
                    // No caller has two calls at once: take the next caller without a call.
                    let free = waiting.iter().position(|n| self.callers.of_call(*n).is_some_and(|c| !busy.contains(c)));
                    let Some(ordinal) = free.and_then(|i| waiting.remove(i)) else { continue };
                    let Some(caller) = self.callers.of_call(ordinal) else { continue };
                    let call = self.come_in(&client, &run, ordinal, caller).await?;
                    busy.insert(caller);
                    live.insert(call.id, (ordinal, tokio::time::Instant::now()));
                    all.push(call);
                }
                _ = look.tick() => {
                    for over in self.over(&live).await? {
                        let Some((ordinal, _)) = live.remove(&over.id) else { continue };
                        completed = completed.saturating_add(usize::from(over.status == "completed"));
                        if let Some(caller) = self.callers.of_call(ordinal) {
                            busy.remove(caller);
                        }
                        match calls {
                            Some(_) => println!("{}", over.line(ordinal)),
                            None => print!("\r{} calls, {completed} completed, {} live   ", all.len(), live.len()),
                        }
                        let _ = std::io::Write::flush(&mut std::io::stdout());
                    }
                    if let Some((call, _)) = live.iter().find(|(_, (_, began))| began.elapsed() > CALL_WITHIN) {
                        let within = CALL_WITHIN.as_secs();
                        return Err(DemoError::Setup(format!("call {call} is still live after {within} s")));
                    }
                    let all_rung = calls.is_some_and(|calls| next >= calls) && waiting.is_empty();
                    if all_rung && live.is_empty() {
                        return Ok(Calls { over: all, cut: Vec::new() });
                    }
                }
                () = self.interrupt.told() => {
                    println!();
                    // A live call has no outcome yet.
                    let (cut, over) = all.into_iter().partition(|call| live.contains_key(&call.id));
                    return Ok(Calls { over, cut });
                }
            }
        }
    }

    async fn come_in(
        &self,
        client: &awc::Client,
        run: &str,
        ordinal: u32,
        caller: &str,
    ) -> Result<Rung, DemoError> {
        match &self.door {
            Door::Webhook { url, secret } => {
                let call = (url.as_str(), *secret, run, ordinal, caller);
                Ok(Rung { id: self.post(client, call).await?, pbx_id: None })
            }
            Door::Pbx(pbx) => {
                let pbx_id = super::pbx::ring(pbx, caller, CALLED)?;
                Ok(Rung { id: self.of_pbx(&pbx_id).await?, pbx_id: Some(pbx_id) })
            }
        }
    }

    /// Our id of a PBX call, once its offer is in the table.
    async fn of_pbx(&self, pbx_id: &str) -> Result<Uuid, DemoError> {
        let failed = |error: &dyn std::fmt::Display| DemoError::Database(error.to_string());
        let client = self.pool.get().await.map_err(|error| failed(&error))?;
        let began = tokio::time::Instant::now();
        while began.elapsed() < POST_WITHIN {
            let row = client.query_opt(OF_PBX, &[&pbx_id]).await.map_err(|error| failed(&error))?;
            if let Some(row) = row {
                return row.try_get(0).map_err(|error| failed(&error));
            }
            tokio::time::sleep(LOOK_EVERY / 10).await;
        }
        Err(DemoError::Setup(format!("the PBX's call {pbx_id} was not accepted")))
    }

    async fn post(
        &self,
        client: &awc::Client,
        (url, secret, run, ordinal, caller): (&str, &str, &str, u32, &str),
    ) -> Result<Uuid, DemoError> {
        let body = serde_json::json!({
            "event_type": "IncomingCall", "call_id": format!("{run}-{ordinal}"), "caller_id": caller,
            "called_number": CALLED, "direction": "In",
        })
        .to_string();
        let (name, value) = sign(Kind::ThreeCx, secret.as_bytes(), body.as_bytes(), clock::wall());
        let failed = |what: String| DemoError::Setup(format!("the webhook of call {ordinal}: {what}"));
        let request = client.post(url).insert_header((name, value)).content_type("application/json");
        let mut answer = request.send_body(body).await.map_err(|error| failed(error.to_string()))?;
        let text = answer.body().await.map_err(|error| failed(error.to_string()))?;
        let answer: Value = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
        let id = answer.get("call_id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        match (answer.get("status").and_then(Value::as_str), id) {
            (Some("accepted"), Some(id)) => Ok(id),
            _ => Err(failed(answer.to_string())),
        }
    }

    /// Waits until these calls are over in the table. Returns how many are not, after the time limit.
    pub(super) async fn ended(&self, calls: &[Rung], within: Duration) -> Result<usize, DemoError> {
        let began = tokio::time::Instant::now();
        let mut live = calls.iter().map(|call| (call.id, (0, began))).collect::<HashMap<_, _>>();
        while !live.is_empty() && began.elapsed() < within {
            for over in self.over(&live).await? {
                live.remove(&over.id);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(live.len())
    }

    async fn over(&self, live: &HashMap<Uuid, (u32, tokio::time::Instant)>) -> Result<Vec<Over>, DemoError> {
        let ids: Vec<Uuid> = live.keys().copied().collect();
        let failed = |error: &dyn std::fmt::Display| DemoError::Database(error.to_string());
        let client = self.pool.get().await.map_err(|error| failed(&error))?;
        let rows = client.query(OVER, &[&ids]).await.map_err(|error| failed(&error))?;
        let read = |row: &tokio_postgres::Row| {
            Ok::<Over, tokio_postgres::Error>(Over {
                id: row.try_get(0)?,
                status: row.try_get(1)?,
                cause: row.try_get(2)?,
                voice_missing: row.try_get(3)?,
                timings: row.try_get(4)?,
                from_cache: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| failed(&error))
    }
}

/// A call that is over, as its rows say.
struct Over {
    id: Uuid,
    status: String,
    cause: Option<String>,
    voice_missing: Option<String>,
    timings: Option<Value>,
    from_cache: bool,
}

impl Over {
    fn line(&self, ordinal: u32) -> String {
        let at = |name: &str| {
            let moment = self.timings.as_ref().and_then(|t| t.get(name)).and_then(Value::as_i64);
            moment.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
        };
        let voice = match (&self.voice_missing, self.from_cache) {
            (Some(why), _) => format!("fallback ({why})"),
            (None, true) => "cached".to_owned(),
            (None, false) => "cloned".to_owned(),
        };
        format!(
            "call {:>4}  {:<9} {:<12} voice {voice}, greeting after {}, voice after {}, agent after {}",
            ordinal.saturating_add(1),
            self.status,
            self.cause.as_deref().unwrap_or("-"),
            at("greeting_started_ms"),
            at("voice_decided_ms"),
            at("handed_off_ms"),
        )
    }
}
