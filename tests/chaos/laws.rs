//! The laws, held against the database and the simulated peers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use precall_store::verify::verify;
use tokio_postgres::Client;

use crate::book::{Law, Violation, named};
use crate::run::Attack;
use crate::site::Route;
use crate::support::{connect_to, lasting, pause};

/// How long a leg may be without a live call, and a live call without its leg, after everything works again.
const PARTED_AT_MOST: Duration = Duration::from_secs(15);
/// How long what is in the spool may take into the database, without a fault.
const STORED_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A call that is younger need not be known yet.
const YOUNG: Duration = Duration::from_secs(3);
/// How long a long run waits until a pool of connections has shrunk after a fault that needed many.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(75);
/// Tolerances of what a process uses.
const MORE_THREADS: usize = 8;
const MORE_DESCRIPTORS: usize = 48;
/// Two audio streams, the agent's socket, and one that is opened again.
const DESCRIPTORS_A_CALL: usize = 4;
const MORE_RESIDENT_KB: u64 = 96 * 1024;

/// One broken law: what it is about, and what is wrong.
type Broken = (Law, String, String);

impl Attack {
    /// Holds every law that holds at any time when precall is well.
    pub async fn judge(&mut self) {
        let client = connect_to(&self.site.postgres.url()).await;
        let mut broken = self.consistency().await;
        broken.extend(self.acknowledged(&client).await);
        broken.extend(self.dials());
        broken.extend(self.left_behind(&client).await);
        broken.extend(self.leaks(&client).await);
        let faults = self.book.recent(Timestamp::now());
        for (law, subject, detail) in broken {
            let violation = Violation { law, round: self.book.round, faults: faults.clone(), detail };
            self.report(&subject, violation, &client).await;
        }
        self.listen(&client).await;
    }

    /// Notes a broken law, and prints it with all that helps to find its cause.
    async fn report(&mut self, subject: &str, violation: Violation, client: &Client) {
        if self.book.broken(subject, violation.clone()) {
            self.print(&violation, &events_of(client, subject).await);
        }
    }

    /// Prints a broken law, and how to see it again.
    pub fn print(&self, violation: &Violation, lines: &[String]) {
        if !self.prints_broken_laws {
            return;
        }
        let Violation { law, round, faults, detail } = violation;
        println!("BROKEN on route {}, round {round}: {}", self.site.route.name(), law.name());
        println!("  {detail}\n  faults: {}", named(faults));
        for line in lines {
            println!("  {line}");
        }
        println!("  again: {}", self.settings.again());
    }

    async fn consistency(&mut self) -> Vec<Broken> {
        let verified = verify(&mut connect_to(&self.site.postgres.url()).await).await.unwrap();
        self.book.checked(Law::IsConsistent, usize::try_from(verified.events).unwrap());
        let breaches = verified.breaches.into_iter();
        breaches
            .map(|breach| {
                let detail = format!("{}: {} {}", breach.rule, breach.owner, breach.detail);
                (Law::IsConsistent, format!("{} {}", breach.owner, breach.rule), detail)
            })
            .collect()
    }

    async fn acknowledged(&mut self, client: &Client) -> Vec<Broken> {
        let (posted, calls, reports) =
            (self.callers.webhooks.acknowledged(), self.witness.calls(), self.witness.reports());
        // On a busy machine the database may have been slow since precall was well, and what was acknowledged may be
        // in the spool. It is in the database once nothing is.
        let begun = Instant::now();
        while !self.site.is_well().await && begun.elapsed() < STORED_WITHIN {
            pause().await;
        }
        let of_pbx = "select provider_id, convert_from(body, 'utf8')::jsonb ->> 'event_type', count(*)
            from webhooks where kind = '3cx' group by 1, 2";
        let rows = client.query(of_pbx, &[]).await.unwrap();
        let stored: BTreeMap<(String, String), i64> =
            rows.iter().map(|row| ((row.get(1), row.get(0)), row.get(2))).collect();
        let of_provider = "select provider_id, count(*) from webhooks
            where kind = 'post_call_transcription' group by 1";
        let rows = client.query(of_provider, &[]).await.unwrap();
        let reported: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let bodies =
            "select convert_from(body, 'utf8'), count(*) from webhooks where kind = '3cx' group by 1";
        let rows = client.query(bodies, &[]).await.unwrap();
        let bodies: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let begun =
            "select call::text, count(*) from call_events where event ->> 'kind' = 'offered' group by 1";
        let rows = client.query(begun, &[]).await.unwrap();
        let begun: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();

        self.book.checked(Law::KeepsAcknowledged, posted.len() + calls.len() + reports.len());
        let mut broken = Vec::new();
        let mut note = |subject: &str, what: String, count: Option<&i64>| {
            if count != Some(&1) {
                let detail = format!("{what} is stored {} times", count.unwrap_or(&0));
                broken.push((Law::KeepsAcknowledged, subject.to_owned(), detail));
            }
        };
        for (kind, call) in &calls {
            let count = stored.get(&(kind.clone(), call.clone()));
            note(call, format!("the acknowledged webhook {kind} of call {call}"), count);
        }
        for conversation in &reports {
            let count = reported.get(conversation);
            note(conversation, format!("the acknowledged report of {conversation}"), count);
        }
        for (body, call) in &posted {
            note(body, format!("the acknowledged webhook {body}"), bodies.get(body));
            if let Some(call) = call {
                note(call, format!("the beginning of the acknowledged call {call}"), begun.get(call));
            }
        }
        broken
    }

    fn dials(&mut self) -> Vec<Broken> {
        let dials = self.witness.dials();
        self.book.checked(Law::DialsOnce, dials.len());
        let twice = dials.into_iter().filter(|(_, times)| *times > 1);
        twice
            .map(|((call, purpose), times)| {
                let detail = format!("call {call} was dialled {times} times for {purpose}");
                (Law::DialsOnce, call, detail)
            })
            .collect()
    }

    /// Legs and live calls belong together, and so do conversations and live calls.
    async fn left_behind(&mut self, client: &Client) -> Vec<Broken> {
        let begun = Instant::now();
        self.book.checked(Law::LeavesNobody, self.callers.live.borrow().len());
        let mut parted = self.parted(client).await;
        // Calls come and go, and each end takes a moment: only what is there in every look was left behind.
        while !parted.is_empty() && begun.elapsed() < PARTED_AT_MOST {
            lasting(LOOK_EVERY).await;
            let now = self.parted(client).await;
            parted.retain(|(_, subject, _)| now.iter().any(|(_, still, _)| still == subject));
        }
        parted
    }

    async fn parted(&self, client: &Client) -> Vec<Broken> {
        self.witness.look(&self.callers, &self.site.pbx, &self.site.provider);
        let now = Timestamp::now();
        let is_old = |at: Timestamp| now.duration_since(at).unsigned_abs() > YOUNG;
        let live =
            "select threecx_call_id, id::text, call_started_at from call_log where state <> 'released'";
        let rows = client.query(live, &[]).await.unwrap();
        let live: BTreeMap<String, (String, Timestamp)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let ids: BTreeSet<&String> = live.values().map(|(id, _)| id).collect();
        let mut parted = Vec::new();
        let mut note =
            |subject: &str, detail: String| parted.push((Law::LeavesNobody, subject.to_owned(), detail));
        if self.site.route == Route::Bridge {
            let legs = self.callers.live.borrow();
            for (call, _) in legs.iter().filter(|(call, at)| is_old(**at) && !live.contains_key(*call)) {
                let legs = self.site.pbx.call(call).map(|report| report.legs).unwrap_or_default();
                if !legs.is_empty() {
                    note(call, format!("call {call} of the PBX has leg {legs:?} and no live call"));
                }
            }
            for (call, (id, _)) in
                live.iter().filter(|(call, (_, at))| is_old(*at) && !legs.contains_key(*call))
            {
                note(call, format!("call {id} is live, and call {call} of the PBX is over"));
            }
            let mut talking = BTreeSet::new();
            for talk in self.site.provider.sessions().iter().rev().filter(|talk| talk.end.is_none()) {
                let call = talk.initiation["user_id"].as_str().unwrap_or_default().to_owned();
                let id = &talk.conversation_id;
                if !is_old(talk.opened_at.parse().unwrap()) {
                    talking.insert(call);
                } else if !ids.contains(&call) {
                    note(id, format!("conversation {id} goes on, and its call {call} is over"));
                } else if !talking.insert(call.clone()) {
                    note(id, format!("conversation {id} goes on, and its call {call} has a newer one"));
                }
            }
        }
        parted
    }

    async fn leaks(&mut self, client: &Client) -> Vec<Broken> {
        self.book.checked(Law::LeaksNothing, 1);
        let begun = Instant::now();
        loop {
            match self.grown(client).await {
                None => return Vec::new(),
                Some(_) if self.settings.is_long && begun.elapsed() < COMES_BACK_WITHIN => pause().await,
                Some((pid, detail)) => return vec![(Law::LeaksNothing, pid.to_string(), detail)],
            }
        }
    }

    /// The process and what it uses, if that is too much.
    async fn grown(&mut self, client: &Client) -> Option<(u32, String)> {
        // On route callback nobody is on the line while a call goes on.
        let going_on = "select count(*) from call_log where state <> 'released'";
        let going_on: i64 = client.query_one(going_on, &[]).await.unwrap().get(0);
        let used = self.site.service.usage();
        let before = *self.usages.entry(used.pid).or_insert(used);
        let live = self.callers.live.borrow().len().max(usize::try_from(going_on).unwrap());
        let is_grown = used.threads > before.threads + MORE_THREADS
            || used.descriptors > before.descriptors + MORE_DESCRIPTORS + live * DESCRIPTORS_A_CALL
            || used.resident_kb > before.resident_kb + MORE_RESIDENT_KB;
        let detail = format!("it uses {used:?}, after its first round it was {before:?}; {live} calls");
        is_grown.then_some((used.pid, detail))
    }

    /// What the callers have not heard, and calls that went wrong without a fault.
    async fn listen(&mut self, client: &Client) {
        // Of calls that are over: a silence that goes on has no length yet.
        let mut silences = self.callers.silences();
        silences.retain(|noticed| !self.callers.live.borrow().contains_key(&noticed.call));
        self.book.starved(self.starvation.times());
        self.book.checked(Law::IsNeverSilent, self.callers.placed());
        for noticed in silences {
            let Some(over) = self.book.silence(noticed.from, noticed.length) else { continue };
            let until = noticed.from + jiff::SignedDuration::try_from(noticed.length).unwrap();
            let faults = self.book.blamed(noticed.from, until);
            let (call, length) = (&noticed.call, noticed.length.as_millis());
            let detail = format!(
                "the caller of call {call} hears nothing for {length} ms from {}: {} ms too long",
                noticed.from,
                over.as_millis()
            );
            let round = self.book.round_of(noticed.from);
            let violation = Violation { law: Law::IsNeverSilent, round, faults, detail };
            self.report(&format!("{call} {}", noticed.from), violation, client).await;
        }
        let over = self.callers.over.borrow().clone();
        self.book.checked(Law::FailsOnlyByFaults, over.len());
        for call in over.iter().filter(|call| !call.went_well()) {
            if self.failed.insert(call.id.clone()) {
                let by = call.by.map_or_else(String::new, |by| format!("{by:?}"));
                let how = format!("{by}, {}", cause_of(client, &call.id).await);
                self.book.failed(how, call.from, call.to);
            }
            if self.book.is_untouched(call.from, call.to) {
                let detail = format!("call {} met no fault and went wrong: {call:?}", call.id);
                let (law, round) = (Law::FailsOnlyByFaults, self.book.round);
                let violation = Violation { law, round, faults: Vec::new(), detail };
                self.report(&call.id, violation, client).await;
            }
        }
    }
}

/// Why precall says that a call ended.
async fn cause_of(client: &Client, call: &str) -> String {
    let statement = "select coalesce(cause, state) from call_log where threecx_call_id = $1";
    let row = client.query_opt(statement, &[&call]).await.unwrap();
    row.map_or_else(|| "unknown to precall".to_owned(), |row| row.get(0))
}

/// The events of the call that a subject begins with, by its id or by the PBX's id.
async fn events_of(client: &Client, subject: &str) -> Vec<String> {
    let statement = "select e.seq, e.at, e.event ->> 'kind', e.event::text
        from call_events e join call_log l on l.id = e.call
        where l.threecx_call_id = $1 or l.id::text = $1 order by e.at, e.seq limit 200";
    let call = subject.split(' ').next().unwrap_or_default();
    let rows = client.query(statement, &[&call]).await.unwrap_or_default();
    let line = |row: &tokio_postgres::Row| {
        let (seq, at, kind, event): (i64, Timestamp, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let event: String = event.chars().take(160).collect();
        format!("{at} {seq:>3} {kind:<22} {event}")
    };
    rows.iter().map(line).collect()
}
