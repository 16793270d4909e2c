//! Flags and options: what is refused, and how clearly.

use clap::Parser;

use super::super::{AgentAudio, Args, CloneDelay, OnViolation, Options};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parse(flags: &[&str]) -> Result<Options, String> {
    let all = ["elevenlabs"].into_iter().chain(flags.iter().copied());
    Cli::try_parse_from(all).map(|cli| cli.args.into()).map_err(|error| error.to_string())
}

#[test]
fn every_flag_arrives() {
    let options = parse(&[
        "--port",
        "4010",
        "--api-key",
        "k",
        "--clone-delay-ms",
        "100..200",
        "--conversation-ms",
        "1500",
        "--webhook-url",
        "http://127.0.0.1:3006/webhook/elevenlabs/postcall",
        "--webhook-secret",
        "w",
        "--initiation-url",
        "http://[::1]:3006/i",
        "--initiation-secret",
        "i",
        "--voice-slots",
        "3",
        "--agent-format",
        "ulaw_8000",
        "--on-violation",
        "close",
    ])
    .unwrap();
    assert_eq!(options.port, 4_010);
    assert_eq!(options.api_key.unwrap().expose(), "k");
    assert_eq!(options.clone_delay, CloneDelay::between(100, 200).unwrap());
    assert_eq!(options.conversation.as_millis(), 1_500);
    assert_eq!(options.webhook.unwrap().secret.expose(), "w");
    assert_eq!(options.initiation.unwrap().url.as_str(), "http://[::1]:3006/i");
    assert_eq!(options.voice_slots, 3);
    assert_eq!(options.agent.agent_output_audio_format, AgentAudio::Ulaw8000);
    assert_eq!(options.agent.user_input_audio_format, AgentAudio::Ulaw8000);
    assert_eq!(options.agent.violations, OnViolation::Close);
}

#[test]
fn refusals_say_what_would_be_right() {
    for (flags, word) in [
        (vec!["--clone-delay-ms", "slow"], "N or A..B"),
        (vec!["--clone-delay-ms", "9..2"], "is empty"),
        (vec!["--clone-delay-ms", "99999999"], "allowed"),
        (vec!["--conversation-ms=soon"], "whole number"),
        (vec!["--conversation-ms=-1"], "whole number"),
        (vec!["--voice-slots", "many"], "many"),
        (vec!["--voice-slots", "100000"], "10000"),
        (vec!["--port", "70000"], "65535"),
        (vec!["--agent-format", "mp3_44100_128"], "pcm_8000"),
        (vec!["--on-violation", "shrug"], "record"),
        (vec!["--allow-override", "tts.voice"], "tts.voice_id"),
        (vec!["--override-refusal", "shrug"], "drop"),
        (vec!["--webhook-url", "http://127.0.0.1/"], "--webhook-secret"),
        (vec!["--webhook-secret", "s"], "--webhook-url"),
        (vec!["--initiation-url", "http://127.0.0.1/"], "--initiation-secret"),
        (vec!["--webhook-url", "https://api.example.com/", "--webhook-secret", "s"], "loopback"),
        (vec!["--api-key", ""], "empty"),
    ] {
        let refused = parse(&flags).unwrap_err();
        assert!(refused.contains(word), "{flags:?}: {refused}");
    }
}

#[test]
fn a_delay_stays_in_its_range() {
    let delay: CloneDelay = "5..7".parse().unwrap();
    let picked: std::collections::BTreeSet<u128> = (0..200).map(|_| delay.pick().as_millis()).collect();
    assert_eq!(picked.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!("12".parse(), CloneDelay::between(12, 12));
}

#[test]
fn secrets_are_not_shown() {
    let options = parse(&["--api-key", "sk_visible"]).unwrap();
    assert!(!format!("{options:?}").contains("visible"));
}
