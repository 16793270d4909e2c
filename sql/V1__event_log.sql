-- The two logs everything else derives from. Rows are never changed, except that erasure nulls pii.
-- Both keys begin with a time-ordered id (UUID v7), so that the tables can be partitioned by it.

-- One global order for readers who follow the logs; gaps are possible, going back is not.
create sequence event_position;

create table call_events (
    call uuid not null,
    seq bigint not null check (seq > 0),
    at timestamptz not null,
    event jsonb not null,
    pii jsonb,
    position bigint not null default nextval('event_position'),
    constraint call_events_key primary key (call, seq)
);
create index call_events_position on call_events (position);

create table voice_events (
    job uuid not null,
    seq bigint not null check (seq > 0),
    at timestamptz not null,
    event jsonb not null,
    pii jsonb,
    position bigint not null default nextval('event_position'),
    constraint voice_events_key primary key (job, seq)
);
create index voice_events_position on voice_events (position);

-- An event that could not be kept as it was, or that met another one under its key. Somebody has to look.
create table quarantined_events (
    id uuid primary key default gen_random_uuid(),
    stream text not null,
    owner uuid not null,
    seq bigint not null,
    content text not null,
    reason text not null,
    created_at timestamptz not null default now()
);
