-- The spool directories that the acting start took over from earlier starts, by their ids. A row counts while `engine`
-- has its generation: then nobody else has acted since, and what is left there may still enter its logs.
create table adopted_spools (
    directory uuid primary key,
    generation bigint not null
);

-- The whole entry as JSON text: what an administrator writes into its log later. Rows from before have none.
alter table quarantined_events add column entry text;

create function quarantined_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where id = new.owner) then
        new.entry := null;
    end if;
    return new;
end
$$;
create trigger quarantined_events_of_erased before insert on quarantined_events
    for each row when (new.entry is not null) execute function quarantined_of_erased();
