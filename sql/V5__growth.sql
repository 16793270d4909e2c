-- What is old goes with the piece it is in: events by the week, by their time-ordered id; webhooks by the day, by the time of their event.
-- Pieces are made ahead while precall runs. What no piece takes goes to the default one, so that nothing is refused for its time.

alter table call_events rename to call_events_before;
alter table call_events_before rename constraint call_events_key to call_events_before_key;
alter index call_events_position rename to call_events_before_position;
create table call_events (like call_events_before including defaults including constraints) partition by range (call);
alter table call_events add constraint call_events_key primary key (call, seq);
create index call_events_position on call_events (position);

alter table voice_events rename to voice_events_before;
alter table voice_events_before rename constraint voice_events_key to voice_events_before_key;
alter index voice_events_position rename to voice_events_before_position;
create table voice_events (like voice_events_before including defaults including constraints) partition by range (job);
alter table voice_events add constraint voice_events_key primary key (job, seq);
create index voice_events_position on voice_events (position);

-- What was written so far, and is until the next week begins, is the first piece.
do $$
declare
    next_week timestamptz := (date_trunc('week', now() at time zone 'utc') + interval '1 week') at time zone 'utc';
    boundary text := rpad(lpad(to_hex((extract(epoch from next_week) * 1000)::bigint), 12, '0'), 32, '0');
begin
    execute format('alter table call_events attach partition call_events_before for values from (minvalue) to (%L)', boundary);
    execute format('alter table voice_events attach partition voice_events_before for values from (minvalue) to (%L)', boundary);
end
$$;

create table call_events_other partition of call_events default;
create table voice_events_other partition of voice_events default;

-- Every webhook that was signed by whom it should be, once, with what became of it.
create table webhooks (
    -- Time-ordered: when it came.
    id uuid not null,
    kind text not null,
    -- The PBX's id of the call, or the provider's of the conversation; empty where it names none.
    provider_id text not null,
    -- As the sender says; the day it came where it says nothing that can be.
    event_timestamp timestamptz not null,
    body_sha256 bytea not null,
    received_at timestamptz not null,
    state text not null constraint webhooks_state check (state in ('done', 'quarantined', 'replayed')),
    outcome text not null,
    -- Why it could not be read, for people.
    reason text,
    -- As it came; null for recordings, and once it was kept for long enough.
    body bytea,
    constraint webhooks_key primary key (kind, provider_id, event_timestamp, body_sha256)
) partition by range (event_timestamp);
create index webhooks_id on webhooks (id desc);
create index webhooks_quarantined on webhooks (id desc) where state = 'quarantined';

create table webhooks_other partition of webhooks default;
