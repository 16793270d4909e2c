-- What precall saw when it last looked at the sample of a mapping. It holds for that location only: after a change of
-- the location, and after an insert that names no state, the sample counts as not looked at.

alter table caller_voice_mapping
    add column sample_checked_url text,
    add column sample_checked_at timestamptz,
    -- Why no voice can be cloned from it; null where one can.
    add column sample_problem text;
