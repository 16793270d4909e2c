-- What was erased stays erased: whatever comes late, from a webhook, the spool or an engine that has not heard of it, loses what is personal on
-- its way into the tables.

-- Calls and clone jobs whose personal data are gone.
create table erased (
    id uuid primary key,
    at timestamptz not null default now()
);

-- Conversations of theirs at the provider, and, for as long as a webhook may come late, their ids at the PBX.
create table erased_names (
    kind text not null constraint erased_names_kind check (kind in ('conversation', 'pbx')),
    name text not null,
    at timestamptz not null default now(),
    constraint erased_names_key primary key (kind, name)
);

-- What is still to be deleted outside the database. Done rows keep no target.
create table deletions (
    id uuid primary key default gen_random_uuid(),
    kind text not null constraint deletions_kind check (kind in ('sample', 'conversation', 'recording')),
    target text,
    why text not null constraint deletions_why check (why in ('withdrawn', 'erased', 'replaced')),
    -- Of which erasure, where it is of one.
    erasure uuid,
    created_at timestamptz not null default now(),
    due_at timestamptz not null default now(),
    tries integer not null default 0,
    error text,
    done_at timestamptz,
    constraint deletions_target check (target is not null or done_at is not null)
);
create index deletions_due on deletions (due_at) where done_at is null;
create index deletions_erasure on deletions (erasure) where erasure is not null;

create function without_pii_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = coalesce(to_jsonb(new) ->> 'call', to_jsonb(new) ->> 'job')::uuid) then
        new.pii := null;
    end if;
    return new;
end
$$;
create trigger call_events_of_erased before insert on call_events
    for each row when (new.pii is not null) execute function without_pii_of_erased();
create trigger voice_events_of_erased before insert on voice_events
    for each row when (new.pii is not null) execute function without_pii_of_erased();

create function call_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = new.id) then
        new.caller_id := 'erased';
        new.transcript := null;
        new.metadata := new.metadata - 'recording_url' - 'pbx_state';
    end if;
    return new;
end
$$;
create trigger call_log_of_erased before insert or update on call_log
    for each row when (new.caller_id is distinct from 'erased' or new.transcript is not null or new.metadata is not null)
    execute function call_of_erased();

create function conversation_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = new.call) then
        new.report := null;
        insert into erased_names (kind, name) select 'conversation', new.provider_id
            where new.provider_id is not null on conflict do nothing;
    end if;
    return new;
end
$$;
create trigger conversations_of_erased before insert or update on conversations
    for each row when (new.report is not null or new.provider_id is not null) execute function conversation_of_erased();

create function caller_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = coalesce(to_jsonb(new) ->> 'call', to_jsonb(new) ->> 'job')::uuid) then
        new.caller_id := 'erased';
    end if;
    return new;
end
$$;
create trigger clone_ready_events_of_erased before insert on clone_ready_events
    for each row execute function caller_of_erased();
create trigger clone_failed_events_of_erased before insert on clone_failed_events
    for each row execute function caller_of_erased();
create trigger voice_clone_log_of_erased before insert on voice_clone_log
    for each row execute function caller_of_erased();

create function cached_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = new.job) then
        new.caller_id := 'erased';
        new.deleted_at := coalesce(new.deleted_at, now());
    end if;
    return new;
end
$$;
create trigger voice_clone_cache_of_erased before insert on voice_clone_cache
    for each row when (new.job is not null) execute function cached_of_erased();

create function webhook_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased_names where name = new.provider_id
        and (kind = 'conversation' and new.kind <> '3cx'
            or kind = 'pbx' and new.kind = '3cx' and new.received_at < at + interval '35 minutes')) then
        new.body := null;
        new.reason := null;
    end if;
    return new;
end
$$;
create trigger webhooks_of_erased before insert on webhooks
    for each row when (new.body is not null) execute function webhook_of_erased();

create function report_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased_names where kind = 'conversation' and name = new.conversation_id) then
        return null;
    end if;
    return new;
end
$$;
create trigger unmatched_reports_of_erased before insert on unmatched_reports
    for each row execute function report_of_erased();
