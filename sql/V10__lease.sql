-- Until when the acting process may act: one row. It renews `beat` every second, on the session that holds the leader
-- lock. Another process takes over when it has seen the same beat for longer than `lease_ms`, or when `released` says
-- that the acting process has left. It is apart from `engine`, which every write of events locks.
create table engine_lease (
    one boolean primary key default true constraint engine_lease_one check (one),
    generation bigint not null,
    beat bigint not null default 0,
    lease_ms bigint not null,
    released boolean not null default false,
    -- Names the file that the process holds a lock on, in its SPOOL_DIR.
    process uuid not null,
    -- The oid of this table when the row was claimed. A row of a restored backup has another one: nobody renews it.
    home oid not null
);
