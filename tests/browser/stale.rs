//! A page whose stream stands still says so.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::proxy::{Affliction, Proxies, Trouble, Upstream};
use crate::support::{PbxPlan, PbxWorld, lasting};
use crate::worlds::{READER, with_keys};

const ALL: &str = "all";

#[actix::test]
async fn a_page_whose_stream_stalls_says_that_it_is_stale() {
    let world = PbxWorld::with(with_keys(PbxPlan::default().holding())).await;
    let service: SocketAddr = world.app.address();
    let proxies = Proxies::new(1);
    let proxy = proxies.open(Upstream::Tcp(service), |_| Some(ALL)).unwrap();
    let Some(browser) = Browser::start(&format!("http://{}", proxy.address())).await else {
        return world.stop().await;
    };
    browser.sign_in(READER, "/").await;
    let pbx_id = world.rings(&world.known_caller(1).await);
    browser.has("#rows tr[data-id]", 1).await;
    assert!(browser.text("#stale").await.is_empty());
    proxy.afflict(ALL, Affliction { trouble: Trouble::Stall, percent: 100 });
    let took = browser.says("#stale", "Stale").await;
    assert!(took < Duration::from_secs(15), "{took:?}");
    let ages = "return document.querySelector('#rows tr[data-id] td.number').textContent";
    let stopped = browser.run(ages, Vec::new()).await;
    lasting(Duration::from_millis(2_500)).await;
    assert_eq!(browser.run(ages, Vec::new()).await, stopped, "ages stop");
    proxy.heal_all();
    browser.has("body.is-stale", 0).await;
    world.hangs_up(&pbx_id);
    world.stop().await;
}
