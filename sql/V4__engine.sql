-- Which start of precall acts on this database: one row. Whoever writes with another number has been superseded, and writes nothing.
create table engine (
    one boolean primary key default true constraint engine_one check (one),
    generation bigint not null,
    since timestamptz not null default now()
);
