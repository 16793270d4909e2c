-- Takes away what the changes of rows would meet: the indexes and constraints of the service before.
drop index if exists ix_caller_voice_mapping_caller_id, ix_caller_voice_mapping_account_id,
    ix_caller_voice_mapping_created_at, ix_voice_clone_cache_caller_id, ix_voice_clone_cache_cloned_voice_id,
    ix_voice_clone_cache_ttl_expires_at, ix_call_log_call_id, ix_call_log_threecx_call_id, ix_call_log_caller_id,
    ix_call_log_status, ix_call_log_created_at, ix_voice_clone_log_caller_id, ix_voice_clone_log_cloned_voice_id,
    ix_voice_clone_log_status, ix_clone_ready_events_caller_id, ix_clone_ready_events_greeting_call_id,
    ix_clone_ready_events_ready_at, ix_clone_failed_events_caller_id, ix_clone_failed_events_greeting_call_id,
    ix_clone_failed_events_failed_at, ix_clone_transfer_events_greeting_call_id,
    ix_clone_transfer_events_agent_call_id, ix_clone_transfer_events_transferred_at;
alter table call_log
    drop constraint if exists call_log_status_check,
    alter column call_id drop not null,
    alter column threecx_call_id drop not null,
    alter column caller_id drop not null,
    alter column cloned_voice_id drop not null;
alter table voice_clone_log
    drop constraint if exists voice_clone_log_status_check,
    alter column cloned_voice_id drop not null;
