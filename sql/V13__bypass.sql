-- Lines whose new calls go to the fallback destination at once, because an operator said so. One row a line, kept when
-- it is switched off again: the newest of this row and the file beside the spool counts.
create table bypass (
    -- Empty: every line.
    line text not null constraint bypass_pkey primary key,
    is_on boolean not null,
    -- Null: until somebody switches it off.
    until timestamptz,
    reason text not null,
    -- The name of an API key.
    who text not null,
    changed_at timestamptz not null
);
