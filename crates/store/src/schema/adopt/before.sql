-- The tables of the service before, where an older version of it lacks some: empty, so that all seven are there.
create table if not exists caller_voice_mapping (
    id uuid primary key, caller_id varchar(255) not null, voice_sample_url varchar(2048) not null,
    voice_name varchar(255) not null, description text, account_id varchar(255), created_at timestamp not null,
    updated_at timestamp not null, deleted_at timestamp);
create table if not exists voice_clone_cache (
    id uuid primary key, caller_id varchar(255) not null, cloned_voice_id varchar(255) not null,
    clone_created_at timestamp not null, ttl_expires_at timestamp not null, reuse_count integer not null,
    last_used_at timestamp not null, created_at timestamp not null, deleted_at timestamp);
create table if not exists call_log (
    id uuid primary key, call_id varchar(255) not null, threecx_call_id varchar(255) not null,
    caller_id varchar(255) not null, cloned_voice_id varchar(255) not null, call_started_at timestamp not null,
    call_ended_at timestamp, duration_seconds integer, transcript text, status varchar(50) not null, metadata json,
    created_at timestamp not null, updated_at timestamp not null);
create table if not exists voice_clone_log (
    id uuid primary key, caller_id varchar(255) not null, cloned_voice_id varchar(255) not null,
    clone_created_at timestamp not null, api_response_time_ms integer not null,
    sample_file_size_bytes integer not null, status varchar(50) not null, error_message text,
    created_at timestamp not null);
create table if not exists clone_ready_events (
    id uuid primary key, caller_id varchar(255) not null, greeting_call_id varchar(255) not null,
    cloned_voice_id varchar(255) not null, clone_duration_ms integer not null, ready_at timestamp not null,
    created_at timestamp not null);
create table if not exists clone_failed_events (
    id uuid primary key, caller_id varchar(255) not null, greeting_call_id varchar(255) not null,
    error_message text not null, failed_at timestamp not null, created_at timestamp not null);
create table if not exists clone_transfer_events (
    id uuid primary key, greeting_call_id varchar(255) not null, agent_call_id varchar(255) not null,
    cloned_voice_id varchar(255) not null, transferred_at timestamp not null, created_at timestamp not null);
