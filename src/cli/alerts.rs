//! `precall alerts test`: sends one message on every channel that is configured.

use precall_base::clock;

use super::{Exit, environment, unusable};
use crate::alerts::{Channels, test};
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Send a test message by mail and to the webhook, as far as they are configured.
    Test,
}

pub(super) async fn run(command: Command) -> Exit {
    let Command::Test = command;
    let (alerts, installation) = match environment().and_then(|set| Config::alerts_from_map(&set)) {
        Ok(found) => found,
        Err(error) => return unusable(&error),
    };
    if !alerts.are_on() {
        return unusable(
            &"alerts are off: set ALERT_MAIL_TO, ALERT_MAIL_FROM and ALERT_SMTP_URL, or ALERT_WEBHOOK_URL",
        );
    }
    let channels = match Channels::new(&alerts) {
        Ok(channels) => channels,
        Err(error) => return unusable(&error),
    };
    let mut exit = Exit::Good;
    for sent in channels.send(&test(&installation, clock::wall())).await {
        match sent.outcome {
            Ok(()) => println!("{}: sent", sent.channel),
            Err(words) => {
                eprintln!("precall: {} failed: {words}", sent.channel);
                exit = Exit::Failed;
            }
        }
    }
    exit
}
