//! Tests of the scanner. `tests/databases/foreign.rs` holds it against a migrated database.

use super::*;

fn after_all(sql: &str) -> Objects {
    let mut objects = Objects::default();
    objects.follow(sql);
    objects
}

fn names(objects: &Objects) -> Vec<&str> {
    objects.required(|_| true).collect()
}

#[test]
fn comments_texts_and_bodies_make_nothing() {
    let sql = "-- create table a ();\n/* create table b (); */ create table c (x text default 'create table d ();');
        create function f() returns trigger language plpgsql as $$ begin execute 'x'; create table e (); end $$;
        do $do$ begin create table g (); end $do$; select 'it''s; create table h ()';";
    assert_eq!(names(&after_all(sql)), ["c", "f"]);
}

#[test]
fn a_dropped_table_takes_its_indexes_and_triggers_along() {
    let mut objects = Objects::default();
    let made = objects.follow(
        "create table a (n int); create unique index a_n on a (n); create sequence s;
         create trigger t before insert or update on a for each row execute function f();
         drop table if exists a;",
    );
    assert_eq!(names(&objects), ["s"]);
    assert!(objects.triggers.is_empty());
    assert_eq!(made.into_iter().collect::<Vec<_>>(), ["a", "a_n", "s"], "a name is needed also for a moment");
}

#[test]
fn a_renamed_table_is_an_old_one() {
    let sql = "create table a (n int); create index a_n on a (n); alter table a rename to a_before;
        alter index a_n rename to a_before_n; create table a (n int) partition by range (n);
        create table a_other partition of a default; alter table a rename constraint x to y;
        alter table a rename column n to m;";
    let objects = after_all(sql);
    assert_eq!(names(&objects), ["a", "a_before", "a_before_n", "a_other"]);
    assert_eq!(objects.named.get("a"), Some(&Kind::Table));
    assert_eq!(objects.named.get("a_other"), Some(&Kind::OldTable));
    assert_eq!(objects.named.get("a_before_n"), Some(&Kind::Index("a_before".to_owned())));
}

#[test]
fn several_names_are_dropped_at_once_and_quoted_names_are_read() {
    let sql = "create table a (); create table \"b\" (); create table if not exists c (); drop table a, \"b\" cascade;";
    assert_eq!(names(&after_all(sql)), ["c"]);
}
