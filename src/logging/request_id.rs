//! The id of the request that a task answers, in each line that the task logs.

use slog::{BorrowedKV, Drain, KV, Key, OwnedKVList, Record, RecordStatic, Serializer};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Runs `answering` with this id in its log lines.
pub(crate) async fn within<F: Future>(id: String, answering: F) -> F::Output {
    REQUEST_ID.scope(id, answering).await
}

/// `work` in a task of its own, with the id of the request for which it is done.
pub(crate) fn also_in_task<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let id = REQUEST_ID.try_with(Clone::clone).ok();
    async move {
        match id {
            Some(id) => within(id, work).await,
            None => work.await,
        }
    }
}

/// Adds `request_id` to the records of a task that answers a request. It must come before the queue: another thread
/// knows nothing of the task.
pub(super) struct WithRequestId<D>(pub(super) D);

impl<D: Drain> Drain for WithRequestId<D> {
    type Ok = D::Ok;
    type Err = D::Err;

    fn log(&self, record: &Record<'_>, values: &OwnedKVList) -> Result<D::Ok, D::Err> {
        let logged = REQUEST_ID.try_with(|id| {
            let fields = WithId { record, id };
            let about =
                RecordStatic { location: record.location(), tag: record.tag(), level: record.level() };
            self.0.log(&Record::new(&about, record.msg(), BorrowedKV(&fields)), values)
        });
        logged.unwrap_or_else(|_| self.0.log(record, values))
    }
}

struct WithId<'a> {
    record: &'a Record<'a>,
    id: &'a str,
}

impl KV for WithId<'_> {
    fn serialize(&self, record: &Record<'_>, serializer: &mut dyn Serializer) -> slog::Result {
        self.record.kv().serialize(record, serializer)?;
        serializer.emit_str(Key::from("request_id"), self.id)
    }
}
