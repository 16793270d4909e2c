//! The listener for management beside the main one (`METRICS_ADDR`).

use awc::http::StatusCode;
use serde_json::Value;

use crate::support::{KEY, Plan, World};

async fn ask(world: &World, url: &str, key: Option<&str>) -> (StatusCode, String) {
    let request = world.http.get(url);
    let request = key.into_iter().fold(request, |request, key| request.bearer_auth(key));
    let mut answer = request.send().await.unwrap();
    let body = answer.body().limit(16 << 20).await.unwrap();
    (answer.status(), String::from_utf8(body.to_vec()).unwrap())
}

#[actix::test]
async fn figures_are_shown_there_and_on_the_main_listener_to_a_key_alone() {
    let world = World::with(Plan::default().env("METRICS_ADDR", "127.0.0.1:0")).await;
    let (main, management) = (world.app.url(), world.app.management_address().unwrap());
    let management = format!("http://{management}");
    for path in ["/metrics", "/health"] {
        let (status, there) = ask(&world, &format!("{management}{path}"), None).await;
        assert!(status == 200 && there.contains("live_calls"), "{there}");
        let (status, with_key) = ask(&world, &format!("{main}{path}"), Some(KEY)).await;
        assert!(status == 200 && with_key.contains("live_calls"), "{with_key}");
        let (status, without) = ask(&world, &format!("{main}{path}"), None).await;
        assert!(!without.contains("live_calls") && !without.contains("version"), "{without}");
        assert_eq!(status, if path == "/health" { 200 } else { 401 });
        let (status, problem) =
            ask(&world, &format!("{main}{path}"), Some("wrong-wrong-wrong-wrong-wrong-wrong")).await;
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!((status.as_u16(), problem["code"].as_str()), (401, Some("unauthenticated")));
    }
    for _ in 0..10 {
        ask(&world, &format!("{main}/metrics"), Some("guess-guess-guess-guess-guess-guess")).await;
    }
    let (status, _) =
        ask(&world, &format!("{main}/health"), Some("guess-guess-guess-guess-guess-guess")).await;
    assert_eq!(status, 429, "keys are not tried here past the limit");
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(ask(&world, &format!("{management}{path}"), None).await.0, 200);
        assert_eq!(ask(&world, &format!("{main}{path}"), None).await.0, 200);
    }
    for path in ["/api/v1/live", "/webhook/3cx", "/"] {
        assert_eq!(ask(&world, &format!("{management}{path}"), Some(KEY)).await.0, 404, "{path}");
    }
    world.stop().await;
}

#[actix::test]
async fn in_development_everything_is_on_one_listener() {
    let world = World::new().await;
    assert_eq!(world.app.management_address(), None);
    for path in ["/metrics", "/health"] {
        let (status, shown) = ask(&world, &format!("{}{path}", world.app.url()), None).await;
        assert!(status == 200 && shown.contains("live_calls"), "{shown}");
    }
    world.stop().await;
}
