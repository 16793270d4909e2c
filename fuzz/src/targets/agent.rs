//! Bytes of the voice agent: messages of its WebSocket, and the address of that socket.

use std::time::{Duration, Instant};

use precall_audio::bridge::agent_event::AgentEvent;
use precall_audio::bridge::agent_order::{AgentOrder, GreetingUse};
use precall_audio::bridge::agent_session::AgentSession;
use precall_audio::bridge::turn_taking::FirstSpeaker;
use precall_audio::playlist::Mark;
use precall_providers::elevenlabs::{AgentMessage, AgentUrl, UnreadableMessage, read_agent_message};
use url::Url;

use super::{choice, is_plain};

/// As `TEXT_MAX` of the messages, with the mark of a cut.
const TEXT_BYTES_MAX: usize = 16 * 1024 + 6;
const NAME_BYTES_MAX: usize = 256 + 6;
/// 20 ms of 8 kHz PCM.
const PIECE: usize = 320;
const PIECE_TIME: Duration = Duration::from_millis(20);

/// Messages, one a line, as a whole session: what is kept is bounded, the caller gets whole samples, and nothing
/// follows the end.
pub(crate) fn messages(input: &[u8]) {
    let Some((choice, input)) = choice(input) else { return };
    let mut session = AgentSession::new(order(choice));
    let mut now = Instant::now();
    let mut is_over = false;
    session.begin();
    for message in input.split(|byte| *byte == b'\n') {
        let Ok(text) = std::str::from_utf8(message) else { continue };
        check(text);
        session.on_message(text, now);
        session.connect(now);
        for _ in 0..=choice >> 6 {
            session.push_caller_audio(&[choice; PIECE], now);
            if let Some(piece) = session.next_piece(PIECE) {
                assert!(piece.len() <= PIECE && piece.len().is_multiple_of(2), "{} bytes", piece.len());
            }
            now += PIECE_TIME;
            session.tick(now, PIECE_TIME);
        }
        for event in session.take_events() {
            assert!(!is_over, "{event:?} follows the end");
            is_over =
                matches!(event, AgentEvent::Failed { .. } | AgentEvent::Ended | AgentEvent::Lost { .. });
        }
        assert_eq!(session.is_closed(), is_over);
    }
    let _stats = session.stats();
}

fn order(choice: u8) -> AgentOrder {
    let url = Url::parse("wss://api.elevenlabs.io/v1/convai/conversation").unwrap();
    let speakers = [FirstSpeaker::Agent, FirstSpeaker::Caller, FirstSpeaker::Unknown];
    AgentOrder {
        attempt: 1,
        url: AgentUrl::checked(url.clone(), &url, &[]).unwrap(),
        initiation: String::new(),
        context: None,
        unanswered: (choice & 8 != 0).then(|| "{}".to_owned()),
        own_greeting: if choice & 4 == 0 { GreetingUse::Play } else { GreetingUse::Drop },
        begins: (Mark(1), Duration::ZERO),
        first_speaker: speakers[usize::from(choice & 3) % speakers.len()],
        fill_after: Duration::from_millis(100),
        first_word_within: Duration::from_millis(400),
        give_up_after: Duration::from_millis(200),
        piece: PIECE_TIME,
    }
}

#[track_caller]
fn check(text: &str) {
    match read_agent_message(text) {
        Ok(AgentMessage::Begun { conversation, .. }) => {
            assert!(!conversation.as_str().is_empty());
            is_plain(conversation.as_str(), 256);
        }
        Ok(
            AgentMessage::Heard { text }
            | AgentMessage::Said { text, .. }
            | AgentMessage::Corrected { text, .. },
        ) => assert!(text.len() <= TEXT_BYTES_MAX),
        Ok(AgentMessage::ToolCalled { id, name, .. }) => {
            is_plain(&id, 256);
            assert!(name.len() <= NAME_BYTES_MAX);
        }
        Ok(AgentMessage::Failed { kind, message, .. }) => {
            assert!(kind.len() <= TEXT_BYTES_MAX && message.len() <= TEXT_BYTES_MAX);
        }
        Ok(AgentMessage::Audio { base64, .. }) => assert!(base64.len() <= text.len()),
        Ok(
            AgentMessage::Queued
            | AgentMessage::Interrupted { .. }
            | AgentMessage::Ping { .. }
            | AgentMessage::Other,
        )
        | Err(UnreadableMessage::Json { .. }) => {}
        Err(UnreadableMessage::Format(name)) => assert!(name.len() <= NAME_BYTES_MAX),
    }
}

/// An address that is taken is encrypted, and on a host that was named.
pub(crate) fn url(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(url) = Url::parse(text) else { return };
    let base = Url::parse("https://api.elevenlabs.io/").unwrap();
    let hosts = ["static.example".to_owned(), "127.0.0.1".to_owned()];
    let Ok(taken) = AgentUrl::checked(url, &base, &hosts) else { return };
    let (scheme, host) = (taken.expose().scheme(), taken.expose().host_str().unwrap());
    assert!(host == "api.elevenlabs.io" || hosts.iter().any(|known| known == host), "{host}");
    assert!(scheme == "wss" || (scheme == "ws" && host == "127.0.0.1"), "{scheme}");
    assert_eq!(format!("{taken:?}"), format!("AgentUrl({host})"));
}
