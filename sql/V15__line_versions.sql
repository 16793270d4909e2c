-- Versions of the settings of lines. `lines` has what counts; a version is written once and never changed.
create table line_versions (
    -- As in `lines`.
    number text not null,
    version integer not null constraint line_versions_version check (version > 0),
    -- The columns of `lines` by their names; a missing one takes the value of the default line.
    settings jsonb not null,
    note text,
    created_at timestamptz not null,
    created_by text not null,
    -- When it last began to count for calls; null for a draft.
    published_at timestamptz,
    published_by text,
    constraint line_versions_pkey primary key (number, version)
);

-- The version whose settings the row has; null for a row that was written by hand.
alter table lines add column version integer;
-- The version on trial, and how many of a hundred callers get it.
alter table lines add column trial_version integer;
alter table lines add column trial_percent smallint
    constraint lines_trial_percent check (trial_percent between 1 and 99);
alter table lines add constraint lines_trial check ((trial_version is null) = (trial_percent is null));
