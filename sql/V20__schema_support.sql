-- The oldest precall that runs on this schema, as the last migration that it knows. A migration that only adds leaves
-- it as it is. One that takes something away comes a release later, and raises it to the last migration of that
-- release: then no precall from before runs here any more.
create table schema_support (
    one boolean primary key default true check (one),
    oldest integer not null check (oldest > 0)
);
insert into schema_support (oldest) values (20);
