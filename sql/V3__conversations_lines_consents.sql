-- What the old service had no place for.

create table conversations (
    id uuid primary key default gen_random_uuid(),
    call uuid not null,
    purpose text not null constraint conversations_purpose check (purpose in ('greeting', 'agent')),
    ordinal integer not null,
    -- The provider's id; null until its answer, a look-up or the report tells.
    provider_id text constraint conversations_provider_id unique,
    dial text not null,
    outcome text not null default 'initiated',
    duration_seconds integer,
    report jsonb,
    started_at timestamptz not null default now(),
    reported_at timestamptz,
    constraint conversations_key unique (call, purpose, ordinal)
);
create index conversations_due on conversations (started_at) where reported_at is null;

-- Reports that came before their conversation was known.
create table unmatched_reports (
    conversation_id text not null,
    kind text not null,
    event_timestamp bigint not null,
    body jsonb not null,
    received_at timestamptz not null default now(),
    constraint unmatched_reports_key primary key (conversation_id, kind, event_timestamp)
);

-- A CallEnded whose IncomingCall was not seen: it absorbs that call when it comes.
create table early_ends (
    pbx text not null,
    threecx_call_id text not null,
    ended_at timestamptz not null default now(),
    constraint early_ends_key primary key (pbx, threecx_call_id, ended_at)
);

-- What a called number gives its calls; null takes the default line's value.
create table lines (
    number text primary key,
    account_id text not null default 'default',
    agent_id text,
    phone_number_id text,
    greeting_message text,
    greeting_voice_id text,
    language text,
    fallback_voice_id text,
    fallback_destination text,
    max_live_calls integer constraint lines_max_live_calls check (max_live_calls > 0),
    greeting_max_seconds integer constraint lines_greeting_max check (greeting_max_seconds > 0),
    clone_max_wait_seconds integer constraint lines_clone_max_wait check (clone_max_wait_seconds > 0),
    updated_at timestamptz not null default now()
);

-- Who agreed that their voice is cloned. Withdrawn by a date, never by deleting the row.
create table consents (
    id uuid primary key default gen_random_uuid(),
    account_id text not null default 'default',
    caller_id text not null,
    speaker text not null,
    basis text not null,
    given_at timestamptz not null default now(),
    expires_at timestamptz,
    withdrawn_at timestamptz
);
create index consents_caller on consents (account_id, caller_id);

-- Counts the starts of the engine: what a resumed call's event refers to.
create sequence engine_generation;
