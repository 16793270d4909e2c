-- The canary: test calls that precall makes to itself. They count in no statistic and in no budget of callers.
alter table call_log add column canary boolean not null default false;

-- Runs of the canary. The schedule and the budget of the canary go on from here after a restart.
create table canary_runs (
    id uuid not null constraint canary_runs_pkey primary key,
    started_at timestamptz not null,
    -- Null while it runs.
    ended_at timestamptz,
    -- The name of an API key. Null: the schedule.
    asked_by text,
    route text not null,
    -- Null while it runs.
    outcome text constraint canary_runs_outcome check (outcome in ('passed', 'failed', 'interrupted', 'skipped')),
    -- The step that failed.
    step text,
    -- Why it failed or was skipped, in the words of the service that refused.
    words text,
    -- The step and its milliseconds, for every step that was done, in order.
    steps jsonb not null default '[]',
    -- The call that it made, once precall took it.
    call uuid,
    -- How long the agent was connected.
    agent_ms integer
);
create index canary_runs_started on canary_runs (started_at desc);
