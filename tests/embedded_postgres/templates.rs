//! A database for each test: copies of one template in one cluster.

use std::time::Instant;

use precall_embedded_postgres::template::{TemplateError, TestCluster};
use tokio_postgres::NoTls;

use crate::support::{ask, ask_plainly, until};

pub fn cluster() -> &'static TestCluster {
    let prepare = |url: String| async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute("create table marks (mark text); insert into marks values ('of the template')")
            .await?;
        Ok(())
    };
    TestCluster::shared(prepare).unwrap()
}

#[tokio::test]
async fn every_test_database_is_a_separate_copy() {
    let started = Instant::now();
    let databases: Vec<_> = (0..20).map(|_| cluster().database().unwrap()).collect();
    println!("20 databases in {:?}", started.elapsed());
    for database in &databases {
        let statement = "update marks set mark = current_database() returning mark";
        let mark = ask(database.url(), statement).await;
        assert!(database.url().ends_with(&mark), "{mark}");
    }
    for database in &databases {
        let marks = ask(database.url(), "select string_agg(mark, ',') from marks").await;
        assert!(database.url().ends_with(&marks), "{marks} in {}", database.url());
    }
}

#[test]
fn dropping_a_test_database_works_with_open_connections() {
    let database = cluster().database().unwrap();
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, _connection) = runtime.block_on(tokio_postgres::connect(database.url(), NoTls)).unwrap();
    drop(database);
    let there = format!("select count(*)::text from pg_database where datname = '{name}'");
    let admin = cluster().postgres().url("postgres");
    until("the database is gone", || ask_plainly(&admin, &there) == "0");
    drop(client);
}

#[test]
fn a_failed_template_preparation_is_reported() {
    let prepare = |url: String| async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("select nonsense").await?;
        Ok(())
    };
    let error = TestCluster::start(prepare).unwrap_err();
    assert!(matches!(&error, TemplateError::Prepare(text) if text.contains("nonsense")), "{error}");
}
