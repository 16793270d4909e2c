-- Alerts that are open, or whose end nobody was told yet: so that a restart neither sends one twice nor forgets one. A
-- row a rule.
create table alerts (
    rule text not null constraint alerts_pkey primary key,
    opened_at timestamptz not null,
    -- When a message about it was last sent. Null: none yet, in quiet hours or because no channel took it.
    told_at timestamptz,
    -- Null while it is open.
    ended_at timestamptz,
    words text not null
);
