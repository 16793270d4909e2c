//! The simulator over real HTTP: what a client of the provider sees, and what a check may order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A test may fail loudly.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use awc::Client;
use serde_json::{Value, json};

use super::{Agent, Options, Simulator, start};
use crate::shared::options::{Secret, Target};
use crate::shared::test_client::{Reply, eventually, reply};

mod account;
mod agent_ends;
mod agent_messages;
mod agent_open;
mod agent_script;
mod agent_shapes;
mod calls;
mod contract;
mod conversations;
mod faults;
mod inbound;
mod options;
mod overrides;
mod reports;
mod socket;
mod speech;
mod voices;
mod waiting;
mod webhooks;
mod workspace;

const WEBHOOK_SECRET: &str = "wsec_test";

/// A simulator and a client that speaks to it.
struct Provider {
    simulator: Simulator,
    client: Client,
}

impl Provider {
    async fn with(options: Options) -> Self {
        let simulator = start(options).await.unwrap();
        Self { simulator, client: client() }
    }

    async fn default() -> Self {
        Self::with(brief()).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    async fn get(&self, path: &str) -> Reply {
        reply(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    async fn delete(&self, path: &str) -> Reply {
        reply(self.client.delete(self.url(path)).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        reply(self.client.post(self.url(path)).send_json(body).await.unwrap()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Reply {
        reply(self.client.put(self.url(path)).send_json(body).await.unwrap()).await
    }

    async fn upload(&self, form: Form) -> Reply {
        let (content_type, body) = form.finish();
        let request =
            self.client.post(self.url("/v1/voices/add")).insert_header(("content-type", content_type));
        reply(request.send_body(body).await.unwrap()).await
    }

    /// Clones a voice and gives its id.
    async fn clone_voice(&self, name: &str) -> String {
        let reply = self.upload(Form::new().text("name", name).file("a.wav", &wav(name))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["voice_id"].as_str().unwrap().to_owned()
    }

    async fn dial(&self, to_number: &str, client_data: Value) -> Reply {
        self.post("/v1/convai/sip-trunk/outbound-call", &dial_body(to_number, client_data)).await
    }

    /// Dials and gives the conversation's id.
    async fn call(&self, to_number: &str, client_data: Value) -> String {
        let reply = self.dial(to_number, client_data).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["conversation_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a conversation has this status.
    async fn reaches(&self, id: &str, status: &str) -> Value {
        let path = format!("/v1/convai/conversations/{id}");
        eventually(&format!("conversation {status}"), || async {
            let found = self.get(&path).await.json();
            (found["status"] == status).then_some(found)
        })
        .await
    }
}

fn client() -> Client {
    Client::builder().timeout(Duration::from_secs(10)).disable_redirects().finish()
}

/// An agent that allows every override that these tests use. The default agent allows none.
fn open_agent() -> Agent {
    Agent::allowing(&[
        "tts.voice_id",
        "tts.stability",
        "tts.speed",
        "tts.similarity_boost",
        "agent.first_message",
        "agent.language",
        "agent.prompt.prompt",
        "conversation.max_duration_seconds",
        "conversation.client_events",
    ])
}

/// Conversations of a tenth of a second.
fn brief() -> Options {
    Options { conversation: Duration::from_millis(100), agent: open_agent(), ..Options::default() }
}

/// Conversations that last until they are ended.
fn endless() -> Options {
    Options { conversation: Duration::from_secs(3_000), agent: open_agent(), ..Options::default() }
}

fn dial_body(to_number: &str, client_data: Value) -> Value {
    json!({
        "agent_id": "agent_1",
        "agent_phone_number_id": "phnum_1",
        "to_number": to_number,
        "conversation_initiation_client_data": client_data,
    })
}

/// A WAV file whose sound depends on the seed.
fn wav(seed: &str) -> Vec<u8> {
    let data = seed.repeat(50).into_bytes();
    let length = u32::try_from(data.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((length + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}

/// A multipart body, written by hand so that it is not our reader's own idea of one.
#[derive(Default)]
struct Form(Vec<u8>);

impl Form {
    const BOUNDARY: &str = "----precall-boundary";

    fn new() -> Self {
        Self::default()
    }

    fn part(mut self, head: &str, body: &[u8]) -> Self {
        self.0.extend(format!("--{}\r\n{head}\r\n\r\n", Self::BOUNDARY).bytes());
        self.0.extend(body);
        self.0.extend(b"\r\n");
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("Content-Disposition: form-data; name=\"{name}\""), value.as_bytes())
    }

    fn file(self, filename: &str, body: &[u8]) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"files\"; filename=\"{filename}\"\r\nContent-Type: audio/x-wav"
        );
        self.part(&head, body)
    }

    fn finish(mut self) -> (String, Vec<u8>) {
        self.0.extend(format!("--{}--\r\n", Self::BOUNDARY).bytes());
        (format!("multipart/form-data; boundary={}", Self::BOUNDARY), self.0)
    }
}

/// What a webhook brought.
#[derive(Clone, Debug)]
struct Received {
    headers: Vec<(String, String)>,
    raw: Bytes,
}

impl Received {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap()
    }
}

/// A service that is posted to: keeps what comes and answers as told.
struct Service {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Service {
    /// The statuses are answered in turn; the last one stays.
    async fn answering(statuses: &[u16], body: Value) -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let state = Data::new((Arc::clone(&received), statuses.to_vec(), body));
        type State = Data<(Arc<Mutex<Vec<Received>>>, Vec<u16>, Value)>;
        async fn take(request: HttpRequest, raw: Bytes, state: State) -> HttpResponse {
            let (received, statuses, body) = state.get_ref();
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            let mut received = received.lock().unwrap();
            let status = statuses.get(received.len()).or(statuses.last()).copied().unwrap_or(200);
            received.push(Received { headers, raw });
            HttpResponse::build(status.try_into().unwrap()).json(body)
        }
        let server =
            HttpServer::new(move || App::new().app_data(state.clone()).default_service(web::to(take)))
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
        let url = format!("http://{}/hook", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { url, received }
    }

    async fn ready() -> Self {
        Self::answering(&[200], json!({"status": "processed"})).await
    }

    fn target(&self) -> Option<Target> {
        Some(Target { url: self.url.parse().unwrap(), secret: WEBHOOK_SECRET.parse::<Secret>().unwrap() })
    }

    /// Waits for this many.
    async fn received(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} webhooks"), || async {
            let received = self.received.lock().unwrap();
            (received.len() >= count).then(|| received.clone())
        })
        .await
    }
}
