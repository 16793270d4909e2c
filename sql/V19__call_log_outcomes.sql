-- The history: a page of a rare cause, or the histogram of a month, is found in the index alone. The same key as
-- call_log_started, which it replaces; the other columns are what the filters of the history ask for.
create index call_log_outcomes on call_log (call_started_at desc, id desc)
    include (status, cause, blame, told, line, pbx, called_number, state, canary);
drop index call_log_started;
