//! Connections to PostgreSQL that carry nothing any more, although the system sees them as open.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use precall_store::connect::{self, Limits};
use tokio::time::timeout;

use crate::support::database;
use crate::support::proxy::{Affliction, Proxies, Trouble, Upstream};

const LANE: &str = "database";
const SIZE: usize = 4;
/// So long a task waits for its answer.
const WITHIN: Duration = Duration::from_millis(1_500);

/// The socket of the database at this address, and the rest of the address.
fn socket_of(url: &str) -> (PathBuf, String, String) {
    let (user, rest) = url.split_once('@').unwrap();
    let (host, database) = rest.split_once(':').unwrap();
    let name = database.split_once('/').unwrap().1;
    (PathBuf::from(host.replace("%2F", "/")).join(".s.PGSQL.5432"), user.to_owned(), name.to_owned())
}

#[actix::test]
async fn a_pool_whose_connections_are_all_dead_is_replaced_although_many_ask_for_one() {
    let database = database();
    let (socket, user, name) = socket_of(database.url());
    let proxies = Proxies::new(1);
    let proxy = proxies.open(Upstream::Unix(socket), |_| Some(LANE)).unwrap();
    let url = format!("{user}@{}/{name}", proxy.address()).parse().unwrap();
    let pool = connect::pool(&url, "test", Limits { size: SIZE, ..Limits::default() }).unwrap();
    let asks = || async {
        let asked = async { pool.get().await.ok()?.query_one("select 1", &[]).await.ok() };
        timeout(WITHIN, asked).await.is_ok_and(|row| row.is_some())
    };
    let at_once = || futures_util::future::join_all((0..2 * SIZE).map(|_| asks()));
    assert!(at_once().await.into_iter().all(|answered| answered), "the pool is full");

    proxy.afflict(LANE, Affliction { trouble: Trouble::BlackHole, percent: 100 });
    assert!(at_once().await.into_iter().all(|answered| !answered), "every connection is in the black hole");
    proxy.heal(LANE);
    // More tasks than connections ask again and again, each for longer than the others leave a connection alone.
    let (begun, mut good) = (Instant::now(), 0);
    while good < 2 * SIZE {
        good = at_once().await.into_iter().filter(|answered| *answered).count();
        assert!(begun.elapsed() < Duration::from_secs(10), "{good} answers after 10 s");
    }
    println!("well after {:?}", begun.elapsed());
}
