//! `precall simulate ring`: a caller rings and waits.

use serde_json::json;

use super::super::{RingArgs, RingError, ring};
use super::Pbx;

fn caller(port: u16) -> RingArgs {
    RingArgs {
        port,
        caller: "+12025550142".to_owned(),
        called: "+12025550199".to_owned(),
        announce: false,
        seconds: 1,
    }
}

#[actix_web::test]
async fn a_caller_rings_and_hangs_up_when_the_time_is_over() {
    let pbx = Pbx::default().await;
    let port = pbx.simulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    let report = ring(&caller(port)).await.unwrap();
    assert_eq!(report["state"], json!("ended"));
    assert_eq!(report["ended_by"], json!("caller"));
    assert_eq!((&report["caller"], &report["called"]), (&json!("+12025550142"), &json!("+12025550199")));
    assert_eq!(pbx.simulator.calls().len(), 1);
}

#[actix_web::test]
async fn a_call_that_cannot_be_placed_says_why() {
    let pbx = Pbx::default().await;
    let port: u16 = pbx.simulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    // The simulator has no address for webhooks.
    let announced = ring(&RingArgs { announce: true, ..caller(port) }).await;
    assert!(
        matches!(&announced, Err(RingError::Refused(why)) if why.contains("--webhook-url")),
        "{announced:?}"
    );
    pbx.simulator.stop().await;
    assert_eq!(ring(&caller(port)).await, Err(RingError::NoSimulator(port)));
}
