//! Tokens: how they are had, how long they are good.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::{ExpiresIn, OldTokens, Options};
use super::{Pbx, SECRET, eventually, options};

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_token_says_how_long_it_lives_in_either_unit() {
    for (unit, told) in [(ExpiresIn::Seconds, 3_600), (ExpiresIn::Minutes, 60)] {
        let pbx = Pbx::with(Options { expires_in: unit, ..options() }).await;
        let answer = pbx.ask_token().await.json();
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(told)));
        let claims = claims(answer["access_token"].as_str().unwrap());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
        assert!(claims["role"].as_array().unwrap().contains(&json!("Enterprise")), "{claims}");
    }
}

#[actix_web::test]
async fn a_form_in_parts_is_taken_as_well() {
    let pbx = Pbx::default().await;
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let id = part("client_id", "900");
    let body =
        format!("{id}{}{}--b--\r\n", part("client_secret", SECRET), part("grant_type", "client_credentials"));
    let answer = pbx.post_token("multipart/form-data; boundary=b", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Anybody may read the log, so the secret is not in it.
    let log = json!(pbx.simulator.requests()).to_string();
    assert!(log.contains("client_credentials") && !log.contains(SECRET), "{log}");
}

#[actix_web::test]
async fn bad_credentials_are_refused() {
    let pbx = Pbx::default().await;
    let cases = [
        ("client_id=900&client_secret=wrong&grant_type=client_credentials", 401, "invalid_client"),
        ("client_id=901&client_secret=pbx-secret&grant_type=client_credentials", 401, "invalid_client"),
        ("client_id=900&client_secret=pbx-secret&grant_type=password", 400, "unsupported_grant_type"),
        ("client_id=900", 400, "invalid_request"),
        ("", 400, "invalid_request"),
    ];
    for (form, status, error) in cases {
        let answer = pbx.post_token("application/x-www-form-urlencoded", form.to_owned()).await;
        assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(error)), "{form}");
    }
}

#[actix_web::test]
async fn a_new_token_revokes_the_old_one_unless_told_otherwise() {
    for (rule, status) in [(OldTokens::Revoked, 401), (OldTokens::Kept, 200)] {
        let mut pbx = Pbx::with(Options { old_tokens: rule, ..options() }).await;
        assert_eq!(pbx.get("/callcontrol").await.status, 200);
        let old = pbx.token.clone();
        pbx.log_in().await;
        assert_eq!(pbx.get("/callcontrol").await.status, 200);
        pbx.token = old;
        assert_eq!(pbx.get("/callcontrol").await.status, status);
    }
}

#[actix_web::test]
async fn a_token_dies_of_age() {
    let pbx = Pbx::with(Options { token_ttl: Duration::from_secs(1), ..options() }).await;
    assert_eq!(pbx.get("/callcontrol").await.status, 200);
    eventually("the token is dead", || async { (pbx.get("/callcontrol").await.status == 401).then_some(()) })
        .await;
}

#[actix_web::test]
async fn nothing_opens_without_a_token() {
    let mut pbx = Pbx::default().await;
    let placed = pbx.rings();
    pbx.simulator.revoke_tokens();
    let leg = super::leg_path(&placed);
    for path in [
        "/callcontrol",
        "/callcontrol/900",
        "/callcontrol/ws",
        &leg,
        &format!("{leg}/stream"),
        "/callcontrol/x/y",
    ] {
        let answer = pbx.get(path).await;
        assert_eq!((answer.status, answer.header("www-authenticate").is_some()), (401, true), "{path}");
    }
    assert_eq!(pbx.post(&format!("{leg}/drop"), &json!({})).await.status, 401);
    assert_eq!(super::Speaker::open(&pbx, &format!("{leg}/stream")).await.status().await, Some(401));
    pbx.log_in().await;
    assert_eq!(pbx.get(&leg).await.status, 200);
}
