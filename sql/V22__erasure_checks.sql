-- Each event of a call writes the row of the call again. Whether the call is erased was looked up twice each time,
-- which was half of the cost. A row that changes is looked up when what is personal in it changes.
drop trigger call_log_of_erased on call_log;
create trigger call_log_of_erased before insert on call_log
    for each row when (new.caller_id is distinct from 'erased' or new.transcript is not null
        or new.metadata is not null)
    execute function call_of_erased();
create trigger call_log_of_erased_changed before update on call_log
    for each row when (new.caller_id is distinct from old.caller_id or new.transcript is distinct from old.transcript
        or new.metadata is distinct from old.metadata)
    execute function call_of_erased();
-- The row of an event does not become JSON for it.
create function call_event_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = new.call) then
        new.pii := null;
    end if;
    return new;
end
$$;
drop trigger call_events_of_erased on call_events;
create trigger call_events_of_erased before insert on call_events
    for each row when (new.pii is not null) execute function call_event_of_erased();
