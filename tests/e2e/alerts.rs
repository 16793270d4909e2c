//! Alerts from the command line: a test message, and what `precall check` says of the mail server and the webhook.

use precall_providers::test_peers::smtp_stub::{Security, SmtpStub};
use precall_simulators::elevenlabs;

use crate::program::{Ended, Run};
use crate::support::database;

const PASSWORD: &str = "password-of-the-mail-server";

fn with_mail(run: Run, port: u16, password: &str) -> Run {
    run.env("ALERT_MAIL_TO", "oncall@example.com")
        .env("ALERT_MAIL_FROM", "precall@example.com")
        .env("ALERT_SMTP_URL", &format!("smtp://precall:{password}@127.0.0.1:{port}"))
}

fn says(ended: &Ended, code: i32, words: &str) {
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(code), "{said}");
    assert!(said.contains(words) && !said.contains(PASSWORD), "{words}: {said}");
}

#[actix::test]
async fn a_test_message_shows_whether_alerts_arrive() {
    let stub = SmtpStub::start(Security::Plain, Some(("precall", PASSWORD)));
    let test = || Run::of(&["alerts", "test"]);
    says(&test().end().await, 2, "alerts are off");
    says(&test().env("ALERT_MAIL_TO", "oncall@example.com").end().await, 2, "ALERT_SMTP_URL: is required");
    let run = with_mail(test(), stub.port, PASSWORD).env("INSTALLATION", "shop");
    says(&run.end().await, 0, "mail: sent");
    let mails = stub.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].data.contains("Subject: [shop] Test of precall's alerts"), "{}", mails[0].data);
    let refused = with_mail(test(), stub.port, "mistaken").env("ALERT_WEBHOOK_URL", "http://127.0.0.1:9/");
    let ended = refused.env("ALERT_WEBHOOK_SECRET", "s").end().await;
    says(&ended, 1, "mail failed: ");
    says(&ended, 1, "webhook failed: ");
    assert_eq!(stub.mails().len(), 1);
}

#[actix::test]
async fn the_check_logs_in_at_the_mail_server_and_sends_nothing() {
    let (database, samples) = (database(), tempfile::tempdir().unwrap());
    let provider = elevenlabs::start(elevenlabs::Options::default()).await.unwrap();
    let stub = SmtpStub::start(Security::Plain, Some(("precall", PASSWORD)));
    let check = || {
        let folder = samples.path().to_str().unwrap();
        Run::of(&["check", "--skip-3cx"]).in_production(database.url(), &provider.url(), folder)
    };
    let lines = async |run: Run| {
        let ended = run.end().await;
        let lines = ended.stdout.lines().filter(|line| line.contains("alerts: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(lines(check()).await[0].starts_with("ok     alerts: off"));
    let good = lines(with_mail(check(), stub.port, PASSWORD)).await;
    assert_eq!(good, ["ok     alerts: the mail server takes the login"]);
    let bad = lines(with_mail(check(), stub.port, "mistaken")).await;
    assert!(
        bad[0].starts_with("WRONG  alerts: no mail can be sent (") && bad[0].contains("wrong user"),
        "{bad:?}"
    );
    let away = check().env("ALERT_WEBHOOK_URL", "http://127.0.0.1:9/").env("ALERT_WEBHOOK_SECRET", "s");
    assert!(lines(away).await[0].starts_with("WRONG  alerts: the webhook cannot be reached ("));
    assert_eq!(stub.mails(), []);
    provider.stop().await;
}
