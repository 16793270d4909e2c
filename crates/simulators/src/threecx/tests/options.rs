//! What the command line takes, and that nothing in it reaches beyond this machine.

use std::time::Duration;

use clap::Parser;

use super::super::{Args, ExpiresIn, OldTokens, Options, StreamEnd, Trunk, TrunkError};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn parse(line: &str) -> Result<Options, String> {
    let line =
        Line::try_parse_from(format!("simulator {line}").split(' ')).map_err(|error| error.to_string())?;
    Ok(line.args.into())
}

#[test]
fn the_line_of_the_documentation_is_taken() {
    let options = parse(
        "--port 0 --client-id 901 --client-secret s --webhook-url http://127.0.0.1:1/webhook/3cx --webhook-secret w \
         --token-ttl-s 3 --expires-in minutes --trunk 88100=http://localhost:4010 --trunk 88200=http://[::1]:4011 \
         --trunk-agent-id agent_1 --extension 150 --stream-end reset --discard-first-ms 250",
    )
    .unwrap();
    assert_eq!((options.client_id.as_str(), options.token_ttl), ("901", Duration::from_secs(3)));
    assert_eq!((options.expires_in, options.old_tokens), (ExpiresIn::Minutes, OldTokens::Revoked));
    assert_eq!((options.trunks.len(), options.trunks[1].dn.as_str()), (2, "88200"));
    assert_eq!(options.trunks[0].agent_id.as_deref(), Some("agent_1"));
    assert_eq!(options.webhook.unwrap().url.as_str(), "http://127.0.0.1:1/webhook/3cx");
    assert_eq!((options.stream_end, options.discard_first), (StreamEnd::Reset, Duration::from_millis(250)));
    let least = parse("--client-secret s").unwrap();
    assert_eq!((least.client_id.as_str(), least.port, least.expires_in), ("900", 0, ExpiresIn::Seconds));
}

#[test]
fn what_cannot_be_is_refused() {
    for line in [
        "",
        "--client-secret s --trunk 1",
        "--client-secret s --trunk =http://127.0.0.1:1",
        "--client-secret s --trunk 1=http://example.com",
        "--client-secret s --webhook-url http://127.0.0.1:1",
        "--client-secret s --webhook-url https://203.0.113.1 --webhook-secret w",
        "--client-secret s --expires-in days",
        "--client-secret s --token-ttl-s 0",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    assert_eq!("88100".parse::<Trunk>(), Err(TrunkError::NotATrunk));
}

#[test]
fn a_secret_is_not_shown() {
    let options = parse("--client-secret verysecret").unwrap();
    assert!(!format!("{options:?}").contains("verysecret"));
}
