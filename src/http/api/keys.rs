//! Keys of the API: the list, a new one, the end of one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_store::api_keys::{self, ApiKeyRow};
use serde::{Deserialize, Serialize};
use slog::{info, warn};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Admin, Allowed};
use super::fields::{self, AddressText, NAME_MAX, NameText};
use super::idempotency::HasSecret;
use super::json_body::JsonBody;
use super::page::{Page, id_of_cursor, limit};
use crate::config::{Principal, Scope, Scopes, is_key_name, key_digest, new_key};
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::{timestamp, wall};
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{ApiKeyState, ApiScope};
use crate::http::openapi::problems::{API, BODY, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;
use crate::http::secret_uses::SecretUse;
use crate::trusted_addresses::AddressList;

/// Addresses and blocks of one key.
const ADDRESSES_MAX: usize = 50;

/// A key of the database. The key itself is never shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyItem {
    /// Its id.
    id: Uuid,
    /// Its name in logs and in the audit log.
    name: String,
    /// Who has it, for people.
    owner: Option<String>,
    /// What it allows.
    #[schema(value_type = Vec<ApiScope>)]
    scopes: Vec<String>,
    /// Addresses and CIDR blocks that may use it; empty: any address.
    addresses: Vec<String>,
    /// Whether it can be used.
    #[schema(value_type = ApiKeyState)]
    state: &'static str,
    /// When it was made.
    created_at: Timestamp,
    /// Name of the key that made it.
    created_by: String,
    /// Until when it can be used; null: until it is revoked.
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
    /// Name of the key that revoked it.
    revoked_by: Option<String>,
    /// When it was last used, as of a minute ago.
    last_used_at: Option<Timestamp>,
}

impl From<ApiKeyRow> for KeyItem {
    fn from(row: ApiKeyRow) -> Self {
        let has_expired = row.expires_at.is_some_and(|at| at.as_microsecond() <= wall().0);
        let state = match row.revoked_at {
            Some(_) => "revoked",
            None if has_expired => "expired",
            None => "usable",
        };
        Self {
            state,
            id: row.id,
            name: row.name,
            owner: row.owner,
            scopes: row.scopes,
            addresses: row.addresses,
            created_at: row.created_at,
            created_by: row.created_by,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            revoked_by: row.revoked_by,
            last_used_at: row.last_used_at,
        }
    }
}

/// An entry of `API_KEYS`.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConfiguredKey {
    /// Its name.
    name: String,
    /// What it allows.
    #[schema(value_type = Vec<ApiScope>)]
    scopes: Vec<&'static str>,
    /// When it was last used since the start.
    last_used_at: Option<Timestamp>,
}

/// Keys of the database in pages, and the entries of `API_KEYS`.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeysAnswer {
    #[serde(flatten)]
    page: Page<KeyItem>,
    /// The entries of `API_KEYS`. They change with the configuration.
    configured: Vec<ConfiguredKey>,
    /// The secrets of webhooks that are set.
    webhook_secrets: Vec<SecretUse>,
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeysQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
}

problems!(ListProblems: API, SCOPE, DATABASE, &[Code::BadCursor]);

/// Lists the keys of the API, newest first.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys",
    params(KeysQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = KeysAnswer),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Admin>,
    query: web::Query<KeysQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, before) = (limit(query.limit)?, id_of_cursor(query.cursor.as_deref())?);
    let rows = read(&app, api_keys::list(&app.pool, before, limit.saturating_add(1))).await?;
    let page = Page::cut(rows, limit, |row| row.id.to_string(), KeyItem::from);
    let configured = app.keys.configured().into_iter().map(|(principal, used)| ConfiguredKey {
        name: principal.name.to_string(),
        scopes: principal.scopes.names(),
        last_used_at: used.and_then(timestamp),
    });
    let webhook_secrets = app.secret_uses.shown(&app.settings());
    response::json(&KeysAnswer { page, configured: configured.collect(), webhook_secrets })
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyOrder {
    /// Its name in logs and in the audit log: 1 to 40 letters, digits and `-_.@`; never used before.
    #[schema(pattern = "^[A-Za-z0-9._@-]{1,40}$", min_length = 1, max_length = 40)]
    name: String,
    /// Who has it, for people.
    #[schema(value_type = Option<NameText>)]
    owner: Option<String>,
    /// What it allows.
    #[schema(value_type = Vec<ApiScope>, min_items = 1)]
    scopes: Vec<String>,
    /// Addresses and CIDR blocks that may use it, 50 at most; without them any address.
    #[schema(value_type = Vec<AddressText>, max_items = 50)]
    #[serde(default)]
    addresses: Vec<String>,
    /// Until when it can be used, RFC 3339; without it until it is revoked.
    expires_at: Option<Timestamp>,
}

/// A new key, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// The key. precall keeps its SHA-256 only.
    key: String,
    #[serde(flatten)]
    item: KeyItem,
}

impl KeyOrder {
    /// Checks the order.
    fn into_row(self, app: &AppState, by: &Principal, digest: [u8; 32]) -> Result<ApiKeyRow, Problem> {
        let wrong = |words: String| Err(Problem::new(Code::BadField, words));
        if !is_key_name(&self.name) {
            return wrong("`name` must have 1 to 40 letters, digits, - _ . @".to_owned());
        }
        if app.keys.has_entry(&self.name) {
            return Err(Problem::new(Code::NameTaken, "an entry of API_KEYS has this name"));
        }
        if let Some(owner) = &self.owner {
            fields::line("owner", owner, NAME_MAX)?;
        }
        let scopes = Scopes::of_names(self.scopes.iter().map(String::as_str));
        let Some(scopes) = scopes.ok().filter(|scopes| !scopes.is_empty()) else {
            return wrong(format!("`scopes` must be one or more of: {}", Scope::names()));
        };
        if self.addresses.len() > ADDRESSES_MAX || AddressList::parse(&self.addresses).is_err() {
            return wrong(format!(
                "`addresses` must be at most {ADDRESSES_MAX} addresses or CIDR blocks, as 192.0.2.0/24"
            ));
        }
        let now = wall();
        if self.expires_at.is_some_and(|at| at.as_microsecond() <= now.0) {
            return wrong("`expires_at` must be in the future".to_owned());
        }
        Ok(ApiKeyRow {
            id: Uuid::now_v7(),
            name: self.name,
            owner: self.owner,
            key_sha256: digest.to_vec(),
            scopes: scopes.names().into_iter().map(str::to_owned).collect(),
            addresses: self.addresses.iter().map(|address| address.trim().to_owned()).collect(),
            created_at: timestamp(now).unwrap_or_default(),
            created_by: by.name.to_string(),
            expires_at: self.expires_at,
            revoked_at: None,
            revoked_by: None,
            last_used_at: None,
        })
    }
}

problems!(CreateProblems: API, SCOPE, ONCE, BODY, DATABASE, &[Code::NameTaken]);

/// Makes a key. The answer shows it, once: no `Idempotency-Key` keeps this answer.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "keys",
    request_body = KeyOrder,
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 201, body = NewKey),
        CreateProblems,
    ),
)]
pub(crate) async fn create(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    order: JsonBody<KeyOrder>,
) -> Result<HttpResponse, Problem> {
    let key = new_key();
    let digest = key_digest(&key).ok_or_else(|| Problem::of(Code::Internal))?;
    let row = order.into_inner().into_row(&app, &admin.principal, digest)?;
    if !read(&app, api_keys::create(&app.pool, &row, wall())).await? {
        return Err(Problem::of(Code::NameTaken));
    }
    info!(app.log, "API key made"; "name" => &row.name, "key" => %admin.principal.name);
    known_at_once(&app).await;
    let mut answer = response::json_with(StatusCode::CREATED, &NewKey { key, item: KeyItem::from(row) })?;
    answer.extensions_mut().insert(HasSecret);
    Ok(recorded(answer))
}

problems!(RevokeProblems: API, SCOPE, DATABASE, &[Code::KeyNotFound]);

/// Revokes a key of the database. Requests that run go on.
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = Uuid, Path, description = "Id of the key")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 204, description = "Revoked, now or before"),
        RevokeProblems,
    ),
)]
pub(crate) async fn revoke(
    app: web::Data<AppState>,
    admin: Allowed<Admin>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::of(Code::KeyNotFound))?;
    let by = &admin.principal.name;
    if !read(&app, api_keys::revoke(&app.pool, id, by, wall())).await? {
        return Err(Problem::of(Code::KeyNotFound));
    }
    info!(app.log, "API key revoked"; "id" => %id, "key" => %by);
    known_at_once(&app).await;
    Ok(recorded(HttpResponse::NoContent().finish()))
}

/// A change counts in this process at once, and in others within seconds.
async fn known_at_once(app: &AppState) {
    if let Err(error) = app.keys.read().await {
        warn!(app.log, "API keys of the database could not be read: the last ones count"; "error" => %error);
    }
}
