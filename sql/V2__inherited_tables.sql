-- The seven tables of the service that precall replaces: same names and columns, so that reports keep working.

create table caller_voice_mapping (
    id uuid primary key default gen_random_uuid(),
    caller_id text not null,
    voice_sample_url text not null,
    voice_name text not null,
    description text,
    account_id text not null default 'default',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
-- A caller may be mapped again after a soft delete.
create unique index caller_voice_mapping_caller on caller_voice_mapping (account_id, caller_id)
    where deleted_at is null;

create table voice_clone_cache (
    id uuid primary key default gen_random_uuid(),
    caller_id text not null,
    cloned_voice_id text not null,
    clone_created_at timestamptz not null default now(),
    ttl_expires_at timestamptz not null,
    reuse_count integer not null default 1,
    last_used_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    deleted_at timestamptz,
    account_id text not null default 'default',
    sample_sha256 text,
    job uuid
);
create unique index voice_clone_cache_caller on voice_clone_cache (account_id, caller_id)
    where deleted_at is null;
create index voice_clone_cache_expiry on voice_clone_cache (ttl_expires_at) where deleted_at is null;

create table call_log (
    id uuid primary key default gen_random_uuid(),
    call_id text constraint call_log_call_id unique,
    threecx_call_id text,
    caller_id text,
    cloned_voice_id text,
    call_started_at timestamptz not null default now(),
    call_ended_at timestamptz,
    duration_seconds integer,
    transcript text,
    status text not null default 'initiated'
        constraint call_log_status check (status in ('initiated', 'completed', 'failed')),
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What the old service did not know.
    account_id text not null default 'default',
    pbx text not null default 'default',
    line text not null default 'default',
    called_number text,
    route text,
    state text not null default 'released',
    cause text,
    blame text,
    told text,
    voice_missing text,
    timings jsonb,
    last_seq bigint not null default 0
);
create index call_log_started on call_log (call_started_at desc, id desc);
create index call_log_live on call_log (id) where state <> 'released';
create index call_log_threecx on call_log (threecx_call_id);
create index call_log_caller on call_log (account_id, caller_id);

create table voice_clone_log (
    id uuid primary key default gen_random_uuid(),
    caller_id text not null,
    cloned_voice_id text,
    clone_created_at timestamptz not null default now(),
    api_response_time_ms integer not null default 0,
    sample_file_size_bytes integer not null default 0,
    status text not null constraint voice_clone_log_status check (status in ('success', 'failed')),
    error_message text,
    created_at timestamptz not null default now(),
    account_id text not null default 'default',
    job uuid,
    reason text
);
create index voice_clone_log_caller on voice_clone_log (account_id, caller_id);

create table clone_ready_events (
    id uuid primary key default gen_random_uuid(),
    caller_id text not null,
    greeting_call_id text not null,
    cloned_voice_id text not null,
    clone_duration_ms integer not null default 0,
    ready_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    account_id text not null default 'default',
    call uuid,
    source text not null default 'clone' constraint clone_ready_events_source check (source in ('cache', 'clone'))
);
create index clone_ready_events_call on clone_ready_events (call);

create table clone_failed_events (
    id uuid primary key default gen_random_uuid(),
    caller_id text not null,
    greeting_call_id text not null,
    error_message text not null,
    failed_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    account_id text not null default 'default',
    call uuid,
    reason text
);
create index clone_failed_events_call on clone_failed_events (call);

create table clone_transfer_events (
    id uuid primary key default gen_random_uuid(),
    greeting_call_id text not null,
    agent_call_id text not null,
    cloned_voice_id text not null,
    transferred_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    account_id text not null default 'default',
    call uuid
);
create index clone_transfer_events_call on clone_transfer_events (call);
