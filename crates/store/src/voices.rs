//! Voices: mappings with their consents, and the cache of clones.

use precall_call::{At, CallId, CloneJobId, NoVoice, VoiceId, VoicePolicy};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::error::StoreError;
use crate::events::event_log::timestamp;

// The speaker's valid consents, newest first, by the sample that each covers.
const MAPPING: &str = "
    select m.voice_sample_url, m.voice_policy, m.pin_hash is not null, array(
        select c.sample_sha256 || ' ' || c.given from consents c
        where c.account_id = m.account_id and c.speaker = m.speaker and c.ended_at is null
            and (c.expires_at is null or c.expires_at > $3)
        order by c.given desc limit 100)
    from caller_voice_mapping m
    where m.account_id = $1 and m.caller_id = $2 and m.deleted_at is null";

const CACHED: &str = "
    select account_id, caller_id, cloned_voice_id, ttl_expires_at, sample_sha256, sample_mark from voice_clone_cache
    where deleted_at is null and ttl_expires_at > $1 order by last_used_at desc limit $2";

const DROP_CACHED: &str = "
    update voice_clone_cache set deleted_at = $3
    where account_id = $1 and caller_id = $2 and deleted_at is null";

// An intent without an outcome: the provider may have a voice that precall does not know.
const UNFINISHED: &str = "
    select r.job, r.event ->> 'name', r.event ->> 'sample_sha256', (r.event ->> 'sample_bytes')::bigint,
        coalesce(r.pii ->> 'account_id', 'default'), r.pii ->> 'caller_id'
    from voice_events r
    where r.event ->> 'kind' = 'clone_requested' and r.at > $1 and r.pii ->> 'caller_id' is not null
        and not exists (select from voice_events o where o.job = r.job and o.seq > r.seq)";

// Every clone that is not deleted. The cache says whether calls may still use it.
const EXISTING: &str = "
    select s.job, s.event ->> 'voice_id', coalesce(r.pii ->> 'account_id', 'default'),
        coalesce(r.pii ->> 'caller_id', ''), coalesce(c.last_used_at, s.at), c.ttl_expires_at,
        (select max(m.seq) from voice_events m where m.job = s.job)
    from voice_events s join voice_events r on r.job = s.job and r.seq = 1
    left join voice_clone_cache c on c.job = s.job and c.cloned_voice_id = s.event ->> 'voice_id'
        and c.deleted_at is null
    where s.event ->> 'kind' = 'clone_succeeded' and not exists (
        select from voice_events d where d.job = s.job and d.event ->> 'kind' = 'voice_deleted')
    order by s.job desc limit $1";

const IN_USE: &str = "
    select id, cloned_voice_id from call_log
    where state <> 'released' and last_seq > 0 and cloned_voice_id is not null";

// Cached voices that no caller may hear any more. $1: whether a consent is needed; $2: now.
const UNENTITLED: &str = "
    select c.account_id, c.caller_id, c.cloned_voice_id,
        case when m.id is null then 'unmapped' when m.voice_policy = 'never' then 'never'
            when exists (select from consents e where e.account_id = m.account_id and e.speaker = m.speaker
                and e.sample_sha256 = c.sample_sha256 and e.ended_at is null) then 'expired'
            else 'ended' end
    from voice_clone_cache c
    left join caller_voice_mapping m
        on m.account_id = c.account_id and m.caller_id = c.caller_id and m.deleted_at is null
    where c.deleted_at is null and (m.id is null or m.voice_policy = 'never' or ($1 and not exists (
        select from consents e where e.account_id = m.account_id and e.speaker = m.speaker
            and e.sample_sha256 = c.sample_sha256 and e.ended_at is null
            and (e.expires_at is null or e.expires_at > $2))))
    limit 1000";

// Frequent callers of the last days with policy `number`, a valid consent, and no cached voice.
const FREQUENT: &str = "
    select m.account_id, m.caller_id from caller_voice_mapping m
    join call_log l on l.account_id = m.account_id and l.caller_id = m.caller_id and l.call_started_at > $2
        and not l.canary
    where m.deleted_at is null and m.voice_policy is distinct from 'never'
        and (not $1 or exists (select from consents e where e.account_id = m.account_id and e.speaker = m.speaker
            and e.ended_at is null and (e.expires_at is null or e.expires_at > $3)))
        and not exists (select from voice_clone_cache c where c.account_id = m.account_id
            and c.caller_id = m.caller_id and c.deleted_at is null and c.ttl_expires_at > $3)
    group by 1, 2 order by count(*) desc, 1, 2 limit $4";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[MAPPING, CACHED, DROP_CACHED, UNFINISHED, EXISTING, IN_USE, UNENTITLED, FREQUENT];

/// A caller's sample, and the conditions for its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `voice_sample_url`.
    pub sample: String,
    /// Who may hear the voice; none for the rule of the line.
    pub policy: Option<VoicePolicy>,
    /// Whether the caller has a PIN.
    pub has_pin: bool,
    /// Samples of this speaker with a valid consent, the newest consent first.
    pub consented: Vec<Covered>,
}

/// A sample that precall may clone, with its consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// SHA-256, lower-case hex.
    pub sample_sha256: String,
    /// The number of the consent in `consent_log`.
    pub consent: i64,
}

impl Covered {
    fn read(text: &str) -> Option<Self> {
        let (sample_sha256, consent) = text.split_once(' ')?;
        Some(Self { sample_sha256: sample_sha256.to_owned(), consent: consent.parse().ok()? })
    }
}

/// A clone in the cache.
#[derive(Clone, Debug)]
pub struct CachedVoice {
    /// The account.
    pub account: String,
    /// The caller.
    pub caller: String,
    /// The voice.
    pub voice: VoiceId,
    /// When it expires.
    pub expires: At,
    /// SHA-256 of its sample, hex; none in rows of the service that precall replaced.
    pub sample_sha256: Option<String>,
    /// The version mark of its sample when precall read it.
    pub sample_mark: Option<String>,
}

/// The mapping of a caller; `None` if there is none.
///
/// # Errors
/// When the query fails.
pub async fn mapping(
    client: &deadpool_postgres::Client,
    account: &str,
    caller: &str,
    now: At,
) -> Result<Option<Mapping>, StoreError> {
    // Runs for every call whose voice is not in memory.
    let statement = client.prepare_cached(MAPPING).await?;
    let row = client.query_opt(&statement, &[&account, &caller, &timestamp(now)]).await?;
    row.map(|row| {
        let policy: Option<String> = row.try_get(1)?;
        Ok(Mapping {
            sample: row.try_get(0)?,
            policy: policy.as_deref().and_then(VoicePolicy::from_name),
            has_pin: row.try_get(2)?,
            consented: row
                .try_get::<_, Vec<String>>(3)?
                .iter()
                .filter_map(|text| Covered::read(text))
                .collect(),
        })
    })
    .transpose()
}

/// Clones that are valid at `now`, the most recently used first.
///
/// # Errors
/// When the query fails.
pub async fn cached(
    client: &impl GenericClient,
    now: At,
    limit: i64,
) -> Result<Vec<CachedVoice>, StoreError> {
    let rows = client.query(CACHED, &[&timestamp(now), &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(CachedVoice {
                account: row.try_get(0)?,
                caller: row.try_get(1)?,
                voice: VoiceId::new(row.try_get::<_, String>(2)?),
                expires: At(row.try_get::<_, jiff::Timestamp>(3)?.as_microsecond()),
                sample_sha256: row.try_get(4)?,
                sample_mark: row.try_get(5)?,
            })
        })
        .collect()
}

/// Removes a caller's clone from the cache. Returns the number of rows.
///
/// # Errors
/// When the query fails.
pub async fn drop_cached(
    client: &impl GenericClient,
    account: &str,
    caller: &str,
    now: At,
) -> Result<u64, StoreError> {
    Ok(client.execute(DROP_CACHED, &[&account, &caller, &timestamp(now)]).await?)
}

/// A voice at the provider, as far as precall knows.
#[derive(Clone, Debug)]
pub struct ExistingVoice {
    /// The job that made it.
    pub job: CloneJobId,
    /// The voice.
    pub voice: VoiceId,
    /// The account.
    pub account: String,
    /// The caller.
    pub caller: String,
    /// When a call last used it, or when it was made.
    pub last_used: At,
    /// When it expires; none if calls may not use it any more.
    pub expires: Option<At>,
    /// Sequence number of the last event of its job.
    pub last_seq: i64,
}

/// Voices that are not deleted, the newest `limit`.
///
/// # Errors
/// When the query fails.
pub async fn existing(client: &impl GenericClient, limit: i64) -> Result<Vec<ExistingVoice>, StoreError> {
    let at = |time: jiff::Timestamp| At(time.as_microsecond());
    let rows = client.query(EXISTING, &[&limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(ExistingVoice {
                job: CloneJobId(row.try_get::<_, Uuid>(0)?.as_u128()),
                voice: VoiceId::new(row.try_get::<_, String>(1)?),
                account: row.try_get(2)?,
                caller: row.try_get(3)?,
                last_used: at(row.try_get(4)?),
                expires: row.try_get::<_, Option<jiff::Timestamp>>(5)?.map(at),
                last_seq: row.try_get(6)?,
            })
        })
        .collect()
}

/// Live calls, each with the clone that it uses or may use.
///
/// # Errors
/// When the query fails.
pub async fn in_use(client: &impl GenericClient) -> Result<Vec<(CallId, VoiceId)>, StoreError> {
    let rows = client.query(IN_USE, &[]).await?;
    rows.iter()
        .map(|row| {
            let call = CallId(row.try_get::<_, Uuid>(0)?.as_u128());
            Ok((call, VoiceId::new(row.try_get::<_, String>(1)?)))
        })
        .collect()
}

/// A requested clone without a recorded outcome.
#[derive(Clone, Debug)]
pub struct UnfinishedClone {
    /// Its job.
    pub job: CloneJobId,
    /// Its name at the provider.
    pub name: String,
    /// SHA-256 of its sample, hex.
    pub sample_sha256: String,
    /// Its sample's size.
    pub sample_bytes: usize,
    /// The account.
    pub account: String,
    /// The caller.
    pub caller: String,
}

/// Clones requested after `since` without an outcome, because precall crashed in between.
///
/// # Errors
/// When the query fails.
pub async fn unfinished(client: &impl GenericClient, since: At) -> Result<Vec<UnfinishedClone>, StoreError> {
    let rows = client.query(UNFINISHED, &[&timestamp(since)]).await?;
    rows.iter()
        .map(|row| {
            Ok(UnfinishedClone {
                job: CloneJobId(row.try_get::<_, Uuid>(0)?.as_u128()),
                name: row.try_get(1)?,
                sample_sha256: row.try_get(2)?,
                sample_bytes: usize::try_from(row.try_get::<_, i64>(3)?).unwrap_or(0),
                account: row.try_get(4)?,
                caller: row.try_get(5)?,
            })
        })
        .collect()
}

/// A cached voice that no caller may hear any more.
#[derive(Clone, Debug)]
pub struct Unentitled {
    /// The account.
    pub account: String,
    /// The caller.
    pub caller: String,
    /// The voice.
    pub voice: VoiceId,
    /// The reason.
    pub why: UnentitledWhy,
}

/// Why no caller may hear a voice any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnentitledWhy {
    /// No caller is mapped to it.
    Unmapped,
    /// The caller's policy forbids it.
    Never,
    /// The consent has expired.
    Expired,
    /// The consent was withdrawn, or covers another sample.
    Ended,
}

impl UnentitledWhy {
    /// The reason as calls record it.
    #[must_use]
    pub fn no_voice(self) -> NoVoice {
        match self {
            Self::Unmapped => NoVoice::NoMapping,
            Self::Never => NoVoice::Unproven,
            Self::Expired | Self::Ended => NoVoice::NoConsent,
        }
    }
}

/// Cached voices that no caller may hear at `now`; at most a thousand.
///
/// # Errors
/// When the query fails.
pub async fn unentitled(
    client: &impl GenericClient,
    consent: ConsentRule,
    now: At,
) -> Result<Vec<Unentitled>, StoreError> {
    let rows = client.query(UNENTITLED, &[&consent.is_required(), &timestamp(now)]).await?;
    rows.iter()
        .map(|row| {
            let why = match row.try_get::<_, &str>(3)? {
                "unmapped" => UnentitledWhy::Unmapped,
                "never" => UnentitledWhy::Never,
                "expired" => UnentitledWhy::Expired,
                _ => UnentitledWhy::Ended,
            };
            Ok(Unentitled {
                account: row.try_get(0)?,
                caller: row.try_get(1)?,
                voice: VoiceId::new(row.try_get::<_, String>(2)?),
                why,
            })
        })
        .collect()
}

/// Whether a clone needs a recorded consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentRule {
    /// Yes: a call without one uses the fallback voice (`no_consent`).
    Required,
    /// No: `CONSENT_REQUIRED=false`.
    NotRequired,
}

impl ConsentRule {
    fn is_required(self) -> bool {
        self == Self::Required
    }
}

/// Callers without a voice who may have one, by their number of calls since `since`: the most frequent first.
///
/// # Errors
/// When the query fails.
pub async fn frequent(
    client: &impl GenericClient,
    consent: ConsentRule,
    since: At,
    now: At,
    limit: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&consent.is_required(), &timestamp(since), &timestamp(now), &limit];
    let rows = client.query(FREQUENT, &values).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
