-- The oldest precall that runs on this schema: `oldest` is the last migration that it knows. A migration that only adds
-- leaves the row as it is. A migration that takes something away comes one release later and sets `oldest` to the last
-- migration of the release before its own.
create table schema_support (
    one boolean primary key default true check (one),
    oldest integer not null check (oldest > 0)
);
insert into schema_support (oldest) values (20);
