-- Which rows change, and how. Everything here is gone when the transaction ends.

-- What becomes of each mapped caller and of each cached voice. Spellings of one number are one caller: the newest row
-- counts.
create temp table precall_mapping on commit drop as
select id, case
        when deleted_at is not null then 'stays'
        when number is null then 'no_number'
        when place > 1 then 'merged'
        else 'counts'
    end as fate
from (
    select m.id, m.deleted_at, n.number, row_number() over (
        partition by n.number, m.deleted_at is null order by m.updated_at desc, m.created_at desc, m.id desc) as place
    from caller_voice_mapping m left join precall_number n on n.written = m.caller_id) seen;
alter table precall_mapping add primary key (id);

create temp table precall_cached on commit drop as
select id, uses, used_at, case
        when deleted_at is not null then 'stays'
        when number is null then 'no_number'
        when place > 1 then 'merged'
        when rivals > 1 then 'gains'
        else 'counts'
    end as fate
from (
    select c.id, c.deleted_at, n.number, row_number() over newest as place, count(*) over whole as rivals,
        least(sum(greatest(c.reuse_count, 0)::bigint) over whole, 2147483647)::integer as uses,
        max(c.last_used_at) over whole as used_at
    from voice_clone_cache c left join precall_number n on n.written = c.caller_id
    window whole as (partition by n.number, c.deleted_at is null),
        newest as (partition by n.number, c.deleted_at is null
            order by c.clone_created_at desc, c.created_at desc, c.id desc)) seen;
alter table precall_cached add primary key (id);

-- json takes what jsonb refuses: an escaped NUL, half a surrogate pair, a number without bounds. And jsonb takes what
-- other programs refuse: more than 128 levels.
create function pg_temp.precall_kind(written text) returns text language plpgsql as $$
declare
    kind text;
    brackets text;
    depth integer := 0;
begin
    -- Not where it is declared: no handler catches that.
    kind := jsonb_typeof(written::jsonb);
    if length(translate(written, '[{', '')) >= length(written) - 100 then
        return kind;
    end if;
    -- Each round takes away the innermost brackets.
    brackets := regexp_replace(regexp_replace(written, '"([^"\\]|\\.)*"', '', 'g'), '[^][{}]', '', 'g');
    while brackets <> '' and depth <= 100 loop
        brackets := regexp_replace(brackets, '\[\]|\{\}', '', 'g');
        depth := depth + 1;
    end loop;
    return case when depth > 100 then 'unreadable' else kind end;
exception when others then
    return 'unreadable';
end
$$;
create temp table precall_metadata on commit drop as
select id, kind from (
    select id, pg_temp.precall_kind(metadata::text) as kind from call_log where metadata is not null) seen
where kind <> 'object';
alter table precall_metadata add primary key (id);

create temp table precall_open on commit drop as select id from call_log where status = 'initiated';
alter table precall_open add primary key (id);

analyze precall_mapping;
analyze precall_cached;
analyze precall_metadata;
analyze precall_open;
