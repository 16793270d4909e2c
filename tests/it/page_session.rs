//! A browser that has signed in, for the tests of pages.

use serde_json::Value;

use crate::support::{PATIENCE, World};

/// A session of the dashboard.
pub(crate) struct Session {
    http: awc::Client,
    cookie: String,
    token: String,
}

/// An answer to a browser.
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) media_type: String,
    pub(crate) body: String,
}

impl Session {
    /// Signs in with this key.
    pub(crate) async fn begin(world: &World, key: &str) -> Self {
        let http = awc::Client::builder().disable_redirects().timeout(PATIENCE).finish();
        let request = http.post(format!("{}/sign-in", world.app.url()));
        let answer = request.send_form(&[("key", key)]).await.unwrap();
        assert_eq!(answer.status().as_u16(), 303);
        let set = answer.headers().get("set-cookie").unwrap().to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let mut session = Self { http, cookie, token: String::new() };
        let page = session.get(world, "/").await.body;
        page.split("name=\"csrf\" content=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .clone_into(&mut session.token);
        session
    }

    /// Shows numbers and words from now on.
    pub(crate) async fn show_personal(&self, world: &World) {
        let request = self.http.post(format!("{}/session/personal", world.app.url()));
        let form = [("csrf", self.token.as_str()), ("show", "true")];
        let answer = request.insert_header(("cookie", self.cookie.as_str())).send_form(&form).await.unwrap();
        assert_eq!(answer.status().as_u16(), 303);
    }

    /// Loads a page.
    pub(crate) async fn get(&self, world: &World, path: &str) -> Shown {
        let request = self.http.get(format!("{}{path}", world.app.url()));
        let mut answer = request.insert_header(("cookie", self.cookie.as_str())).send().await.unwrap();
        let media_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let body = answer.body().limit(64 << 20).await.unwrap();
        Shown {
            status: answer.status().as_u16(),
            media_type: media_type.unwrap_or_default(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Loads a page that must be there.
    pub(crate) async fn page(&self, world: &World, path: &str) -> String {
        let shown = self.get(world, path).await;
        assert_eq!(
            (shown.status, shown.media_type.as_str()),
            (200, "text/html; charset=utf-8"),
            "{path}: {}",
            shown.body
        );
        shown.body
    }

    /// Changes something by the API, as the script of a page does.
    pub(crate) async fn change(&self, world: &World, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", world.app.url()));
        let request = request
            .insert_header(("cookie", self.cookie.as_str()))
            .insert_header(("x-csrf-token", self.token.as_str()))
            .insert_header(("sec-fetch-site", "same-origin"));
        let sending = if body.is_null() { request.send() } else { request.send_json(body) };
        let mut answer = sending.await.unwrap();
        let bytes = answer.body().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}
