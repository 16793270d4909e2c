//! A newer precall has migrated the database, and this one is started again: an update that is taken back.

use nix::sys::signal::Signal;
use precall_simulators::threecx::NewCall;

use crate::front_door::Site;
use crate::support::{caller, until};

#[actix::test]
async fn a_call_is_taken_on_the_schema_of_the_next_version() {
    let site = Site::new().await;
    let first = site.serve().await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.end().await.code, Some(0));
    let update = "alter table call_log add of_the_future text not null default 'x';
        alter table conversations add of_the_future int not null default 1;
        create table futures (id int primary key);
        insert into refinery_schema_history
            select max(version) + 1, 'future', now()::text, '1' from refinery_schema_history";
    site.client.batch_execute(update).await.unwrap();
    let _service = site.serve().await;
    let id = site.pbx.place_call(NewCall::from(&caller(1))).unwrap().call_id;
    until("the caller hears precall", || async { site.pbx.call(&id).unwrap().first_sound_at.is_some() })
        .await;
    assert!(site.pbx.hang_up(&id));
    let over = "select 1 from call_log where threecx_call_id = $1 and state = 'released'";
    until("the call is in the database", || async {
        site.client.query_opt(over, &[&id]).await.unwrap().is_some()
    })
    .await;
}
