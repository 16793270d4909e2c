//! Which rows an adoption changes, and how: one rule a kind of change. The same condition counts and writes.

/// Earliest and latest time that the API can write: RFC 3339 has four digits for a year.
const EARLIEST: &str = "timestamp '0001-01-01 00:00:00'";
const LATEST: &str = "timestamp '9999-12-30 00:00:00'";

/// The tables of the service before, each with its columns of times.
pub(crate) const TABLES: [(&str, &[&str]); 7] = [
    ("caller_voice_mapping", &["created_at", "updated_at", "deleted_at"]),
    (
        "voice_clone_cache",
        &["clone_created_at", "ttl_expires_at", "last_used_at", "created_at", "deleted_at"],
    ),
    ("call_log", &["call_started_at", "call_ended_at", "created_at", "updated_at"]),
    ("voice_clone_log", &["clone_created_at", "created_at"]),
    ("clone_ready_events", &["ready_at", "created_at"]),
    ("clone_failed_events", &["failed_at", "created_at"]),
    ("clone_transfer_events", &["transferred_at", "created_at"]),
];
/// The ones of them that name a caller.
const WITH_CALLER: [&str; 6] = [
    "caller_voice_mapping",
    "voice_clone_cache",
    "call_log",
    "voice_clone_log",
    "clone_ready_events",
    "clone_failed_events",
];

/// A kind of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// What is changed, behind a number of rows.
    pub(crate) text: String,
    table: &'static str,
    /// Of the row `t`. No rule before makes or takes away a row of this one.
    when: String,
    set: String,
    pub(crate) phase: Phase,
}

/// When a rule is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To the columns of the service before.
    Before,
    /// To the columns of precall.
    After,
}

impl Rule {
    fn new(table: &'static str, text: &str, when: impl Into<String>, set: impl Into<String>) -> Self {
        Self {
            text: format!("{table}: {text}"),
            table,
            when: when.into(),
            set: set.into(),
            phase: Phase::Before,
        }
    }

    /// Counts the rows.
    pub(crate) fn count(&self) -> String {
        format!("select count(*) from {} t where {}", self.table, self.when)
    }

    /// Changes the rows.
    pub(crate) fn write(&self) -> String {
        format!("update {} t set {} where {}", self.table, self.set, self.when)
    }
}

/// All rules, in the order in which they are applied.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules: Vec<Rule> = TABLES.iter().map(|(table, times)| odd_times(table, times)).collect();
    rules.extend(negative());
    rules.extend(callers());
    rules.extend(cache());
    rules.extend(calls());
    rules.push(Rule::new(
        "voice_clone_log",
        "no voice: the empty text becomes null",
        "t.cloned_voice_id = ''",
        "cloned_voice_id = null",
    ));
    rules.extend(WITH_CALLER.iter().map(|table| numbers(table)));
    rules
}

fn odd_times(table: &'static str, times: &[&str]) -> Rule {
    let odd = |time: &&str| format!("t.{time} not between {EARLIEST} and {LATEST}");
    let nearest = |time: &&str| {
        format!(
            "{time} = case when t.{time} is not null then greatest(least(t.{time}, {LATEST}), {EARLIEST}) end"
        )
    };
    let join = |parts: Vec<String>, by: &str| parts.join(by);
    Rule::new(
        table,
        "times that are infinite or outside the years 1 to 9999 become the nearest of these years",
        join(times.iter().map(odd).collect(), " or "),
        join(times.iter().map(nearest).collect(), ", "),
    )
}

/// Nothing that these columns count is below zero.
fn negative() -> [Rule; 5] {
    [
        ("call_log", "duration_seconds", "null"),
        ("voice_clone_cache", "reuse_count", "0"),
        ("voice_clone_log", "api_response_time_ms", "0"),
        ("voice_clone_log", "sample_file_size_bytes", "0"),
        ("clone_ready_events", "clone_duration_ms", "0"),
    ]
    .map(|(table, column, nearest)| {
        let text = format!("{column} is below zero: it becomes {nearest}");
        Rule::new(table, &text, format!("t.{column} < 0"), format!("{column} = {nearest}"))
    })
}

fn numbers(table: &'static str) -> Rule {
    Rule::new(
        table,
        "caller_id is written as precall finds it (+ and country code, or an extension)",
        "exists (select from precall_number n where n.written = t.caller_id and n.number <> n.written)",
        "caller_id = (select n.number from precall_number n where n.written = t.caller_id)",
    )
}

fn is_fated(table: &str, fate: &str) -> String {
    format!("exists (select from {table} p where p.id = t.id and p.fate = '{fate}')")
}

fn callers() -> [Rule; 4] {
    const ASIDE: &str = "deleted_at = now() at time zone 'utc', updated_at = now() at time zone 'utc'";
    let table = "caller_voice_mapping";
    [
        Rule::new(
            table,
            "caller_id is no telephone number: put aside (deleted_at is set)",
            is_fated("precall_mapping", "no_number"),
            ASIDE,
        ),
        Rule::new(
            table,
            "another spelling of a number with a newer row: put aside (deleted_at is set)",
            is_fated("precall_mapping", "merged"),
            ASIDE,
        ),
        Rule::new(
            table,
            "an account of its own becomes `default`, its name goes into description",
            "btrim(t.account_id) not in ('', 'default')",
            "description = concat_ws(' ', nullif(t.description, ''), '(account: ' || t.account_id || ')'), \
             account_id = 'default'",
        ),
        Rule::new(
            table,
            "no account becomes `default`",
            "btrim(coalesce(t.account_id, '')) = ''",
            "account_id = 'default'",
        ),
    ]
}

fn cache() -> [Rule; 3] {
    const ASIDE: &str = "deleted_at = now() at time zone 'utc'";
    const SUMS: &str = "(reuse_count, last_used_at) = (select p.uses, greatest(least(p.used_at, \
        timestamp '9999-12-30 00:00:00'), timestamp '0001-01-01 00:00:00') from precall_cached p where p.id = t.id)";
    let table = "voice_clone_cache";
    [
        Rule::new(
            table,
            "caller_id is no telephone number: put aside (deleted_at is set)",
            is_fated("precall_cached", "no_number"),
            ASIDE,
        ),
        Rule::new(
            table,
            "a second voice of a caller, older than the other one: put aside (deleted_at is set)",
            is_fated("precall_cached", "merged"),
            ASIDE,
        ),
        Rule::new(
            table,
            "the voice of a caller who had several: it gets the uses of all",
            is_fated("precall_cached", "gains"),
            SUMS,
        ),
    ]
}

fn calls() -> [Rule; 8] {
    let table = "call_log";
    // A year is more than any call lasts.
    let after_duration = "case when t.duration_seconds between 0 and 31622400 \
        then t.call_started_at + make_interval(secs => t.duration_seconds) end";
    let is_kind = |kind: &str| {
        format!("exists (select from precall_metadata p where p.id = t.id and p.kind in ({kind}))")
    };
    let open = "exists (select from precall_open p where p.id = t.id)";
    let mut named =
        Rule::new(table, "the same calls: cause `adopted`", open, "cause = 'adopted', told = 'nothing'");
    named.phase = Phase::After;
    [
        Rule::new(
            table,
            "over, without an end: it ends after its duration, else when it was last changed",
            format!("not {open} and t.call_ended_at is null"),
            format!(
                "call_ended_at = least(coalesce({after_duration}, greatest(t.call_started_at, t.updated_at)), {LATEST})"
            ),
        ),
        Rule::new(
            table,
            "still open: closed (status `failed`), it ends when it was last changed",
            open,
            "status = 'failed', \
             call_ended_at = coalesce(t.call_ended_at, greatest(t.call_started_at, t.updated_at))",
        ),
        named,
        Rule::new(
            table,
            "the caller hid the number: caller_id becomes null",
            "exists (select from precall_number n where n.written = t.caller_id and n.is_withheld)",
            "caller_id = null",
        ),
        Rule::new(
            table,
            "no voice: the empty text becomes null",
            "t.cloned_voice_id = ''",
            "cloned_voice_id = null",
        ),
        Rule::new(table, "metadata is the JSON null: it becomes null", is_kind("'null'"), "metadata = null"),
        Rule::new(
            table,
            "metadata is no JSON object: it becomes one, with the key `value`",
            is_kind("'array', 'string', 'number', 'boolean'"),
            "metadata = json_build_object('value', t.metadata)",
        ),
        Rule::new(
            table,
            "metadata that jsonb refuses, or with over 100 levels: it is kept as text, with the key `unreadable`",
            is_kind("'unreadable'"),
            "metadata = json_build_object('unreadable', t.metadata::text)",
        ),
    ]
}
