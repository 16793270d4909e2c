//! Alerts: the mail server takes the login, and the webhook's host can be reached. Nothing is sent.

use super::finding::Judgement;
use super::world::World;
use crate::alerts::Channels;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let config = &world.config.alerts;
    if !config.are_on() {
        return vec![Judgement::Good(
            "off: nobody is told by mail or webhook when something is wrong".to_owned(),
        )];
    }
    let channels = match Channels::new(config) {
        Ok(channels) => channels,
        Err(error) => return vec![Judgement::Wrong(error)],
    };
    let judge = |channel: &str, outcome: Result<(), String>| match (channel, outcome) {
        ("mail", Ok(())) => Judgement::Good("the mail server takes the login".to_owned()),
        ("mail", Err(words)) => {
            Judgement::Wrong(format!("no mail can be sent ({words}): correct ALERT_SMTP_URL"))
        }
        (_, Ok(())) => Judgement::Good("the webhook's host can be reached".to_owned()),
        (_, Err(words)) => {
            Judgement::Wrong(format!("the webhook cannot be reached ({words}): correct ALERT_WEBHOOK_URL"))
        }
    };
    channels.probe().await.into_iter().map(|probed| judge(probed.channel, probed.outcome)).collect()
}
