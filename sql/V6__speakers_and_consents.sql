-- Whose voices are cloned, and on whose word. A speaker is a person; callers are telephones that the speaker's voice is mapped to.

create table speakers (
    id uuid primary key,
    account_id text not null default 'default',
    -- Null once erased.
    name text,
    created_at timestamptz not null default now(),
    erased_at timestamptz
);
create index speakers_account on speakers (account_id, id);

-- What was agreed, and what became of it: rows are added and never changed. Each hash covers the one before it, so that nothing can be taken
-- out or put in between unseen.
create table consent_log (
    number bigint primary key constraint consent_log_number check (number > 0),
    -- The words that are hashed: JSON without personal data, which stands beside it and is vouched for by its own hash.
    record text not null,
    -- SHA-256 of the hash before (32 zero bytes before the first) and the record.
    hash bytea not null constraint consent_log_hash check (length(hash) = 32),
    -- Who, and where the evidence is, with a salt; erasure nulls it, and the chain still holds.
    pii text
);

create function consent_log_stands() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.number = old.number and new.record = old.record and new.hash = old.hash and new.pii is null then
        return new;
    end if;
    raise exception 'consent_log is added to, and never changed' using errcode = 'restrict_violation';
end
$$;
create trigger consent_log_stands before update or delete on consent_log for each row execute function consent_log_stands();

-- The consents before were rows without evidence that named no sample: they cover nothing by the rules of today, and have to be given anew.
drop table consents;

-- Follows from the log: what counts, and until when.
create table consents (
    id uuid primary key,
    account_id text not null,
    speaker uuid not null constraint consents_speaker references speakers,
    evidence text not null constraint consents_evidence check (evidence in ('recorded', 'signed', 'imported')),
    -- Of the one sample that it covers, lower-case hex.
    sample_sha256 text not null,
    given_at timestamptz not null,
    expires_at timestamptz,
    -- Withdrawn, or erased.
    ended_at timestamptz,
    -- Where the log says so.
    given bigint not null constraint consents_given references consent_log,
    ended bigint constraint consents_ended references consent_log
);
create index consents_speaker_sample on consents (speaker, sample_sha256) where ended_at is null;

alter table caller_voice_mapping
    add column speaker uuid constraint caller_voice_mapping_speaker references speakers,
    -- Null takes the line's, then the installation's.
    add column voice_policy text
        constraint caller_voice_mapping_policy check (voice_policy in ('number', 'proof', 'never')),
    -- Never the PIN itself.
    add column pin_hash text,
    -- Wrong ones since the last right one, and the last of them.
    add column pin_failures integer not null default 0,
    add column pin_failed_at timestamptz;
create index caller_voice_mapping_speaker on caller_voice_mapping (speaker) where deleted_at is null;
-- Pages and beginnings of numbers, whatever the database's collation is.
create index caller_voice_mapping_page on caller_voice_mapping (account_id, caller_id text_pattern_ops)
    where deleted_at is null;

alter table lines add column voice_policy text
    constraint lines_voice_policy check (voice_policy in ('number', 'proof', 'never'));

-- By what it would be seen that the sample at its place is another one now.
alter table voice_clone_cache add column sample_mark text;

-- Which database this is, also after it was copied or restored elsewhere.
alter table engine add column database uuid not null default gen_random_uuid();

-- What administrators and operators changed.
create table audit_log (
    -- Time-ordered.
    id uuid primary key,
    at timestamptz not null default now(),
    -- The name of an API key, or `command line`.
    who text not null,
    action text not null,
    -- The mapping, speaker or call that it was about.
    subject uuid,
    -- Never personal data.
    detail jsonb
);
