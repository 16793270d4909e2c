//! The id of a call in a path: precall's, the PBX's, or that of one of its conversations at ElevenLabs.

use precall_store::reads::calls;
use uuid::Uuid;

use super::read::read;
use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// No id of any side is longer.
const NAME_BYTES_MAX: usize = 256;

/// precall's id of the call that is named. Its own ids and those of live calls are known without the database.
///
/// # Errors
/// `call_not_found`, or `several_calls` with all of them.
pub(crate) async fn call_id(app: &AppState, text: &str) -> Result<Uuid, Problem> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(id);
    }
    if text.len() > NAME_BYTES_MAX || text.contains('\0') {
        return Err(Problem::of(Code::CallNotFound));
    }
    let is_named = |id: Option<&str>| id == Some(text);
    let live = app.engine.board().live().into_iter().filter(|call| {
        is_named(call.parties.threecx_call_id.as_deref())
            || is_named(call.conversation.as_ref().map(|id| id.as_str()))
    });
    let mut found: Vec<Uuid> = live.map(|call| Uuid::from_u128(call.id.0)).collect();
    if found.len() != 1 {
        found = read(app, calls::named(&app.pool, text)).await?;
    }
    match found.as_slice() {
        [] => Err(Problem::of(Code::CallNotFound)),
        [id] => Ok(*id),
        several => Err(Problem::several_calls(several)),
    }
}
