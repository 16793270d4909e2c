//! The list of calls for the API, newest first, with its filters.

use std::fmt::Write as _;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::calls::{CallRow, call_columns, calls_with_analysis};
use crate::StoreError;
use crate::reads::read_only::read_once;

/// A place in the list: behind this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the call came in.
    pub started_at: Timestamp,
    /// Its id, to order calls of the same microsecond.
    pub id: Uuid,
}

impl Place {
    /// The beginning of the list, before the newest call.
    pub const FIRST: Self = Self { started_at: Timestamp::MAX, id: Uuid::max() };

    /// The place behind this call.
    #[must_use]
    pub fn behind(call: &CallRow) -> Self {
        Self { started_at: call.started_at, id: call.id }
    }
}

/// Filter of a list by whether calls have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Live calls.
    Live,
    /// Ended calls.
    Released,
}

/// Filter of a list. What is none filters nothing.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Whether they have ended.
    pub liveness: Option<Liveness>,
    /// The name of the state.
    pub state: Option<String>,
    /// `initiated`, `completed` or `failed`.
    pub status: Option<String>,
    /// Why they ended.
    pub cause: Option<String>,
    /// Who caused the end.
    pub blame: Option<String>,
    /// What the caller was told at the end.
    pub told: Option<String>,
    /// The name of the line.
    pub line: Option<String>,
    /// The name of the PBX.
    pub pbx: Option<String>,
    /// The caller, E.164 or extension.
    pub caller: Option<String>,
    /// The called number.
    pub called: Option<String>,
    /// The id of the call at the PBX.
    pub threecx_call_id: Option<String>,
    /// A conversation, of the greeting or of the agent.
    pub conversation: Option<String>,
    /// Calls that came in at this time or later.
    pub since: Option<Timestamp>,
    /// Calls that came in before this time.
    pub until: Option<Timestamp>,
    /// Whether the list has callers' calls, or test calls of precall itself.
    pub origin: Origin,
}

/// Who made the calls of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Callers.
    #[default]
    Callers,
    /// The canary: precall itself.
    Canary,
}

/// A statement with its values. Conditions are written only where they filter: PostgreSQL then finds the index.
pub(super) struct Statement<'a> {
    pub(super) text: String,
    pub(super) values: Vec<(&'a (dyn ToSql + Sync), Type)>,
}

impl<'a> Statement<'a> {
    /// Adds a condition; `?` stands for the value.
    fn when(&mut self, condition: &str, value: &'a (dyn ToSql + Sync), kind: Type) {
        self.values.push((value, kind));
        let number = format!("${}", self.values.len());
        // Writing to a string does not fail.
        let _ = write!(self.text, " and {}", condition.replace('?', &number));
    }
}

impl CallFilter {
    /// Adds every condition, except those of time.
    pub(super) fn narrow<'a>(&'a self, statement: &mut Statement<'a>) {
        // As the condition of the partial index says it: otherwise the few live calls are searched among all.
        match self.liveness {
            Some(Liveness::Live) => statement.text.push_str(" and state <> 'released'"),
            Some(Liveness::Released) => statement.text.push_str(" and state = 'released'"),
            None => {}
        }
        statement.text.push_str(match self.origin {
            Origin::Callers => " and not canary",
            Origin::Canary => " and canary",
        });
        let texts = [
            ("state = ?", &self.state),
            ("status = ?", &self.status),
            ("cause = ?", &self.cause),
            ("blame = ?", &self.blame),
            ("told = ?", &self.told),
            ("line = ?", &self.line),
            ("pbx = ?", &self.pbx),
            ("account_id = 'default' and caller_id = ?", &self.caller),
            ("called_number = ?", &self.called),
            ("threecx_call_id = ?", &self.threecx_call_id),
            // Not with `or`: PostgreSQL would look at every call.
            (
                "id in (select id from call_log where call_id = ? \
                 union all select call from conversations where provider_id = ?)",
                &self.conversation,
            ),
        ];
        for (condition, value) in texts {
            if let Some(value) = value {
                statement.when(condition, value, Type::TEXT);
            }
        }
    }

    /// The ids of the page are found first, in an index alone where the filter allows it. Only these rows are read.
    fn statement<'a>(&'a self, behind: &'a Place, limit: &'a i64) -> Statement<'a> {
        let text = concat!(
            "select ",
            call_columns!(),
            calls_with_analysis!(),
            " where id in (select id from call_log where (call_started_at, id) < ($1, $2)"
        );
        let values: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&behind.started_at, Type::TIMESTAMPTZ), (&behind.id, Type::UUID)];
        let mut statement = Statement { text: text.to_owned(), values };
        self.narrow(&mut statement);
        if let Some(since) = &self.since {
            statement.when("call_started_at >= ?", since, Type::TIMESTAMPTZ);
        }
        statement.values.push((limit, Type::INT8));
        let number = statement.values.len();
        let _ = write!(
            statement.text,
            " order by call_started_at desc, id desc limit ${number}) order by call_started_at desc, id desc"
        );
        statement
    }

    /// The later of the place and the end of the range: the index is entered there.
    fn entered(&self, behind: Place) -> Place {
        let end = self.until.map(|until| Place { started_at: until, id: Uuid::nil() });
        end.filter(|end| (end.started_at, end.id) < (behind.started_at, behind.id)).unwrap_or(behind)
    }
}

/// At most `limit` calls after a place, newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(
    pool: &Pool,
    filter: &CallFilter,
    behind: Place,
    limit: i64,
) -> Result<Vec<CallRow>, StoreError> {
    let behind = filter.entered(behind);
    let Statement { text, values } = filter.statement(&behind, &limit);
    let rows = read_once(pool, &text, &values).await?;
    rows.iter().map(CallRow::read).collect()
}
