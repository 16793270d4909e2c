//! Checks precall's requests against ElevenLabs' OpenAPI file. The provider ignores unknown fields, so every object is
//! closed here to find a misspelt field.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use precall_base::phone_number::E164;
use precall_call::{CallId, ConversationId, Purpose, VoiceId};
use precall_providers::elevenlabs::{
    AddVoice, ApiKey, ConversationTrace, ElevenLabs, OutboundCall, SampleFormat, Settings, Speech, Telephony,
    VariableValue, VoiceSample, add_voice_body, outbound_call_body, speech_body,
};
use precall_providers::trace_context::{TraceParent, TracedPart};
use precall_test_support::provider_files;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DIAL_SIP: &str = "/v1/convai/sip-trunk/outbound-call";
const DIAL_TWILIO: &str = "/v1/convai/twilio/outbound-call";
const ADD_VOICE: &str = "/v1/voices/add";
const SPEAK: &str = "/v1/text-to-speech/{voice_id}";

/// The provider's OpenAPI document; None if it is not available.
fn description() -> Option<Value> {
    let text = provider_files::read("elevenlabs-openapi.json", "the contract with ElevenLabs")?;
    Some(serde_json::from_str(&text).unwrap())
}

struct Contract {
    description: Value,
}

impl Contract {
    fn read() -> Option<Self> {
        let mut description = description()?;
        provider_files::refuse_unknown_fields(&mut description["components"]);
        Some(Self { description })
    }

    /// Schema errors of a request body.
    fn schema_errors(&self, path: &str, media_type: &str, body: &Value) -> Vec<String> {
        let schema = &self.description["paths"][path]["post"]["requestBody"]["content"][media_type]["schema"];
        assert!(schema.is_object(), "{path} does not take {media_type}");
        let mut document = schema.clone();
        document["components"] = self.description["components"].clone();
        let validator = jsonschema::draft202012::new(&document).unwrap();
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

fn calls() -> Vec<OutboundCall> {
    let bare = OutboundCall {
        telephony: Telephony::SipTrunk,
        agent_id: "agent_1".to_owned(),
        phone_number_id: "phnum_1".to_owned(),
        to: "+4917112345678".parse::<E164>().unwrap(),
        call: CallId(0x0192_0000_0000_7000_8000_0000_0000_0001),
        purpose: Purpose::Greeting,
        voice: None,
        first_message: None,
        language: None,
        max_duration: None,
        ringing_timeout: None,
        trace: None,
        dynamic_variables: Vec::new(),
    };
    let full = OutboundCall {
        voice: Some(VoiceId::new("voice_1")),
        first_message: Some("Good morning".to_owned()),
        language: Some("en".to_owned()),
        max_duration: Some(Duration::from_millis(1)),
        ringing_timeout: Some(Duration::from_secs(5000)),
        trace: Some(ConversationTrace {
            dial: TraceParent::sampled(CallId(7), TracedPart::AgentDial(1)),
            conversation: TraceParent::sampled(CallId(7), TracedPart::Conversation(1)),
        }),
        dynamic_variables: vec![
            ("name".to_owned(), VariableValue::Text("Anna".to_owned())),
            ("orders".to_owned(), VariableValue::Number(3.0)),
            ("vip".to_owned(), VariableValue::Truth(true)),
        ],
        ..bare.clone()
    };
    let silent = OutboundCall {
        first_message: Some(String::new()),
        ringing_timeout: Some(Duration::ZERO),
        telephony: Telephony::Twilio,
        ..bare.clone()
    };
    vec![bare, full, silent]
}

fn voices() -> Vec<AddVoice> {
    let content = Bytes::from_static(b"RIFF\r\n--x\r\n");
    let sample =
        VoiceSample { format: SampleFormat::Wav, content, sha256: [1; 32], duration: Duration::ZERO };
    let bare = AddVoice { name: "precall-inst-job".to_owned(), description: None, sample, trace: None };
    let full = AddVoice { description: Some("made by precall".to_owned()), ..bare.clone() };
    vec![bare, full]
}

/// Parses a form as a server does: fields as text, files as a list. Also checks the multipart format.
fn form(content_type: &str, body: &[u8]) -> Value {
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.len() <= 70, "RFC 2046 allows 70 characters");
    let text = String::from_utf8_lossy(body);
    let inner = text.strip_prefix(&format!("--{boundary}\r\n")).unwrap();
    let inner = inner.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap();
    let mut fields = Map::new();
    for part in inner.split(&format!("\r\n--{boundary}\r\n")) {
        let (head, content) = part.split_once("\r\n\r\n").unwrap();
        let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
        if head.contains("filename=\"") {
            assert!(head.contains("\r\nContent-Type: audio/"), "{head}");
            let files = fields.entry(name).or_insert(json!([]));
            files.as_array_mut().unwrap().push(json!(content));
        } else {
            assert!(fields.insert(name.to_owned(), json!(content)).is_none(), "{name} twice");
        }
    }
    Value::Object(fields)
}

#[test]
fn outbound_calls_match_the_schema() {
    let Some(contract) = Contract::read() else { return };
    for call in calls() {
        let body = outbound_call_body(&call);
        for path in [DIAL_SIP, DIAL_TWILIO] {
            assert_eq!(
                contract.schema_errors(path, "application/json", &body),
                Vec::<String>::new(),
                "{body}"
            );
        }
        assert!(!body.to_string().contains("null"), "what has no value is left out: {body}");
    }
}

#[test]
fn uploads_match_the_schema() {
    let Some(contract) = Contract::read() else { return };
    for voice in voices() {
        let multipart = add_voice_body(&voice);
        let body = form(&multipart.content_type(), &multipart.parts().concat());
        assert_eq!(
            contract.schema_errors(ADD_VOICE, "multipart/form-data", &body),
            Vec::<String>::new(),
            "{body}"
        );
        assert_eq!(body["files"], json!(["RIFF\r\n--x\r\n"]));
    }
}

fn speeches() -> Vec<Speech> {
    let bare = Speech {
        text: "Good morning".to_owned(),
        voice: VoiceId::new("voice_1"),
        model: None,
        language: Some("en".to_owned()),
    };
    vec![bare.clone(), Speech { model: Some("eleven_flash_v2_5".to_owned()), ..bare }]
}

#[test]
fn speech_matches_the_schema() {
    let Some(contract) = Contract::read() else { return };
    for speech in speeches() {
        let body = speech_body(&speech);
        assert_eq!(contract.schema_errors(SPEAK, "application/json", &body), Vec::<String>::new(), "{body}");
        assert!(!body.to_string().contains("null"), "what has no value is left out: {body}");
    }
    let misspelt = json!({"text": "x", "language": "en"});
    assert_ne!(contract.schema_errors(SPEAK, "application/json", &misspelt), Vec::<String>::new());
}

#[test]
fn a_misspelt_or_misplaced_field_fails() {
    let Some(contract) = Contract::read() else { return };
    let good = outbound_call_body(&calls()[1]);
    let spoiled = [
        ("", "voice_id", json!("x")),
        ("/conversation_initiation_client_data", "userid", json!("x")),
        ("/conversation_initiation_client_data/conversation_config_override", "voice", json!({})),
        ("/conversation_initiation_client_data/conversation_config_override/tts", "voiceId", json!("x")),
        ("/conversation_initiation_client_data/conversation_config_override/tts", "voice_id", json!(7)),
        (
            "/conversation_initiation_client_data/conversation_config_override/agent",
            "firstMessage",
            json!("x"),
        ),
        (
            "/conversation_initiation_client_data/conversation_config_override/conversation",
            "max_duration_secs",
            json!(1),
        ),
        ("/telephony_call_config", "ringing_timeout_secs", json!(1000)),
        ("", "to_number", json!(null)),
    ];
    for (place, name, value) in spoiled {
        let mut body = good.clone();
        body.pointer_mut(place).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        assert_ne!(
            contract.schema_errors(DIAL_SIP, "application/json", &body),
            Vec::<String>::new(),
            "{place}/{name}"
        );
    }
    let mut missing = good;
    missing.as_object_mut().unwrap().remove("agent_id");
    assert_ne!(contract.schema_errors(DIAL_SIP, "application/json", &missing), Vec::<String>::new());
    let upload = json!({"name": "n", "file": ["x"]});
    assert_ne!(contract.schema_errors(ADD_VOICE, "multipart/form-data", &upload), Vec::<String>::new());
}

/// One received request.
struct Request {
    method: String,
    path: String,
    query: Vec<String>,
    media_type: Option<String>,
}

/// Starts a server that answers each request with empty lists, so that each method of the client returns.
async fn record(requests: tokio::sync::mpsc::UnboundedSender<Request>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    actix::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.windows(4).any(|window| window == b"\r\n\r\n")
                && socket.read_buf(&mut read).await.unwrap() > 0
            {}
            let text = String::from_utf8_lossy(&read).into_owned();
            let mut line = text.lines().next().unwrap().split(' ');
            let method = line.next().unwrap().to_ascii_lowercase();
            let (path, query) = line.next().unwrap().split_once('?').map_or_else(
                || (text.split(' ').nth(1).unwrap().to_owned(), ""),
                |(path, query)| (path.to_owned(), query),
            );
            let query = query.split('&').filter(|pair| !pair.is_empty());
            let query = query.map(|pair| pair.split('=').next().unwrap().to_owned()).collect();
            let media_type = text
                .lines()
                .find_map(|line| line.strip_prefix("content-type: "))
                .map(|value| value.split(';').next().unwrap().to_owned());
            requests.send(Request { method, path, query, media_type }).unwrap();
            let body =
                r#"{"voices":[],"conversations":[],"has_more":true,"next_page_token":"t","next_cursor":"c"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    base
}

#[test]
fn every_request_goes_to_an_endpoint_that_exists() {
    let Some(contract) = Contract::read() else { return };
    let seen = actix::System::new().block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let base = record(sender).await;
        let settings = Settings::new(base.parse().unwrap(), ApiKey::new("k")).unwrap();
        let client = ElevenLabs::new(Arc::new(settings));
        let within = Duration::from_secs(20);
        for call in calls() {
            let _ = client.outbound_call(&call, within).await;
        }
        let _ = client.add_voice(&voices()[1], within).await;
        let _ = client.voices_named("precall", within).await.unwrap();
        let _ = client.delete_voice(&VoiceId::new("v"), within).await;
        let _ = client.speak(&speeches()[1], within).await;
        let _ = client.conversation(&ConversationId::new("c"), within).await;
        let _ = client.conversations_of(CallId(1), Some("a"), within).await.unwrap();
        let _ = client.signed_agent_url("a", &[], None, within).await;
        let _ = client.agent("a", within).await;
        let _ = client.subscription(within).await;
        let _ = client.ping(within).await;
        let mut seen = Vec::new();
        while let Ok(request) = receiver.try_recv() {
            seen.push(request);
        }
        seen
    });
    assert!(seen.len() > 15, "pages are followed");
    for Request { method, path, query, media_type } in seen {
        let paths = contract.description["paths"].as_object().unwrap();
        let known = paths.iter().find(|(template, _)| matches(template, &path));
        let (template, operations) = known.unwrap_or_else(|| panic!("{path} does not exist"));
        let operation = &operations[&method];
        assert!(operation.is_object(), "{method} {template}");
        let declared: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        for name in query {
            assert!(declared.contains(&name.as_str()), "{template} has no parameter {name}");
        }
        let taken = operation["requestBody"]["content"].as_object();
        let fits = media_type
            .as_ref()
            .map_or(taken.is_none(), |sent| taken.is_some_and(|taken| taken.contains_key(sent)));
        assert!(fits, "{method} {template} does not take {media_type:?}");
    }
}

/// Whether a path matches a template; a literal segment never matches a parameter.
fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(expected, segment)| expected.starts_with('{') || *expected == segment)
}
