-- Makes the tables of the service before what V2__inherited_tables.sql makes. In its transaction the time zone is UTC,
-- so a time without a zone is read as UTC. A test compares the result with a new database.

alter table caller_voice_mapping
    alter column id set default gen_random_uuid(),
    alter column caller_id type text,
    alter column voice_sample_url type text,
    alter column voice_name type text,
    alter column account_id type text,
    alter column account_id set default 'default',
    alter column account_id set not null,
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    alter column updated_at type timestamptz,
    alter column updated_at set default now(),
    alter column deleted_at type timestamptz;
create unique index caller_voice_mapping_caller on caller_voice_mapping (account_id, caller_id)
    where deleted_at is null;

alter table voice_clone_cache
    alter column id set default gen_random_uuid(),
    alter column caller_id type text,
    alter column cloned_voice_id type text,
    alter column clone_created_at type timestamptz,
    alter column clone_created_at set default now(),
    alter column ttl_expires_at type timestamptz,
    alter column reuse_count set default 1,
    alter column last_used_at type timestamptz,
    alter column last_used_at set default now(),
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    alter column deleted_at type timestamptz,
    add column account_id text not null default 'default',
    add column sample_sha256 text,
    add column job uuid;
create unique index voice_clone_cache_caller on voice_clone_cache (account_id, caller_id)
    where deleted_at is null;
create index voice_clone_cache_expiry on voice_clone_cache (ttl_expires_at) where deleted_at is null;

alter table call_log
    alter column id set default gen_random_uuid(),
    alter column call_id type text,
    alter column threecx_call_id type text,
    alter column caller_id type text,
    alter column cloned_voice_id type text,
    alter column call_started_at type timestamptz,
    alter column call_started_at set default now(),
    alter column call_ended_at type timestamptz,
    alter column status type text,
    alter column status set default 'initiated',
    alter column metadata type jsonb,
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    alter column updated_at type timestamptz,
    alter column updated_at set default now(),
    add constraint call_log_call_id unique (call_id),
    add constraint call_log_status check (status in ('initiated', 'completed', 'failed')),
    add column account_id text not null default 'default',
    add column pbx text not null default 'default',
    add column line text not null default 'default',
    add column called_number text,
    add column route text,
    add column state text not null default 'released',
    add column cause text,
    add column blame text,
    add column told text,
    add column voice_missing text,
    add column timings jsonb,
    add column last_seq bigint not null default 0;
create index call_log_started on call_log (call_started_at desc, id desc);
create index call_log_live on call_log (id) where state <> 'released';
create index call_log_threecx on call_log (threecx_call_id);
create index call_log_caller on call_log (account_id, caller_id);

alter table voice_clone_log
    alter column id set default gen_random_uuid(),
    alter column caller_id type text,
    alter column cloned_voice_id type text,
    alter column clone_created_at type timestamptz,
    alter column clone_created_at set default now(),
    alter column api_response_time_ms set default 0,
    alter column sample_file_size_bytes set default 0,
    alter column status type text,
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    add constraint voice_clone_log_status check (status in ('success', 'failed')),
    add column account_id text not null default 'default',
    add column job uuid,
    add column reason text;
create index voice_clone_log_caller on voice_clone_log (account_id, caller_id);

alter table clone_ready_events
    alter column id set default gen_random_uuid(),
    alter column caller_id type text,
    alter column greeting_call_id type text,
    alter column cloned_voice_id type text,
    alter column clone_duration_ms set default 0,
    alter column ready_at type timestamptz,
    alter column ready_at set default now(),
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    add column account_id text not null default 'default',
    add column call uuid,
    add column source text not null default 'clone',
    add constraint clone_ready_events_source check (source in ('cache', 'clone'));
create index clone_ready_events_call on clone_ready_events (call);

alter table clone_failed_events
    alter column id set default gen_random_uuid(),
    alter column caller_id type text,
    alter column greeting_call_id type text,
    alter column failed_at type timestamptz,
    alter column failed_at set default now(),
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    add column account_id text not null default 'default',
    add column call uuid,
    add column reason text;
create index clone_failed_events_call on clone_failed_events (call);

alter table clone_transfer_events
    alter column id set default gen_random_uuid(),
    alter column greeting_call_id type text,
    alter column agent_call_id type text,
    alter column cloned_voice_id type text,
    alter column transferred_at type timestamptz,
    alter column transferred_at set default now(),
    alter column created_at type timestamptz,
    alter column created_at set default now(),
    add column account_id text not null default 'default',
    add column call uuid;
create index clone_transfer_events_call on clone_transfer_events (call);
