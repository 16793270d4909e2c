//! An HTTP receiver of alerts on loopback.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use precall::signature::{Kind, Verifier};
use precall_base::clock;
use serde_json::Value;

/// A post that came.
#[derive(Clone, Debug)]
pub struct Post {
    pub json: Value,
    body: Vec<u8>,
    signature: String,
}

impl Post {
    /// `status` of the alert.
    pub fn status(&self, alert: usize) -> &str {
        self.json["alerts"][alert]["status"].as_str().unwrap()
    }

    pub fn is_signed(&self, secret: &str) -> bool {
        let header = Some(self.signature.as_bytes());
        let mut verifier = Verifier::begin(Kind::Alert, &[secret.as_bytes()], header, clock::wall()).unwrap();
        verifier.update(&self.body);
        verifier.finish().is_ok()
    }
}

#[derive(Default)]
struct State {
    posts: Vec<Post>,
    /// Status and location of the next answers; afterwards 200.
    answers: VecDeque<(u16, String)>,
}

/// A receiver on a port of its own; it stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

impl Receiver {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let data = web::Data::from(Arc::clone(&state));
        let app = move || App::new().app_data(data.clone()).default_service(web::to(take));
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        actix_rt::spawn(server);
        Self { address, state, server: handle }
    }

    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    pub fn posts(&self) -> Vec<Post> {
        self.state.lock().unwrap().posts.clone()
    }

    /// The next post is answered with this status.
    pub fn answer_next(&self, status: u16) {
        self.state.lock().unwrap().answers.push_back((status, String::new()));
    }

    /// The next posts are sent to another address.
    pub fn redirect_to(&self, url: &str) {
        self.state.lock().unwrap().answers.extend((0..9).map(|_| (307, url.to_owned())));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

async fn take(state: web::Data<Mutex<State>>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut state = state.lock().unwrap();
    let signature = request.headers().get("X-Precall-Signature").unwrap().to_str().unwrap().to_owned();
    let json = serde_json::from_slice(&body).unwrap();
    state.posts.push(Post { json, body: body.to_vec(), signature });
    let (status, location) = state.answers.pop_front().unwrap_or((200, String::new()));
    HttpResponse::build(status.try_into().unwrap()).insert_header(("location", location)).finish()
}
