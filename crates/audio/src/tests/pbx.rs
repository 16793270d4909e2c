//! The streams of a PBX over plain TCP. Records every byte that it receives.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest wait of any test.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How to answer the next request.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Answers with this status at once, and reads on.
    Refuse(u16),
    /// Closes its side after this many bytes, and reads on.
    CutAfter(usize),
    /// Answers too early, after this many bytes, and reads on.
    AnswerAfter(usize, u16),
}

#[derive(Debug, Default)]
pub struct State {
    pub connections: usize,
    pub posts: Vec<Post>,
    pub gets: Vec<Get>,
    pub post_plans: VecDeque<Plan>,
    pub get_plans: VecDeque<Plan>,
    /// The only accepted token; none accepts all.
    pub bearer: Option<String>,
    /// The caller's audio as chunks, and whether the stream ends after them.
    pub caller: Vec<Vec<u8>>,
    pub caller_ends: bool,
    is_over: bool,
}

#[derive(Clone, Debug)]
pub struct Post {
    pub connection: usize,
    pub head: String,
    pub audio: Vec<u8>,
    pub chunks: Vec<usize>,
    /// The terminating chunk came.
    pub is_complete: bool,
    /// Nothing more can come.
    pub is_closed: bool,
}

#[derive(Debug)]
pub struct Get {
    pub connection: usize,
    pub head: String,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// Ignores poisoning: a test that fails with the lock held must not make other destructors panic.
fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

pub struct Pbx {
    pub address: SocketAddr,
    shared: Shared,
}

impl Pbx {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::default();
        let pbx = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let number = {
                    let mut state = lock(&shared);
                    if state.is_over {
                        return;
                    }
                    state.connections += 1;
                    state.connections
                };
                shared.1.notify_all();
                let shared = Arc::clone(&shared);
                // Errors are ignored: some tests close the connection in the middle.
                thread::spawn(move || drop(serve(number, tcp.unwrap(), &shared)));
            }
        });
        pbx
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut lock(&self.shared));
        self.shared.1.notify_all();
        changed
    }

    /// Waits until `look` finds something in the state.
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut found = None;
        let state = lock(&self.shared);
        let (state, _) = self
            .shared
            .1
            .wait_timeout_while(state, DEADLINE, |state| {
                found = look(state);
                found.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        let seen = format!("{state:?}");
        // A panic with the lock held would make every destructor panic too.
        drop(state);
        found.unwrap_or_else(|| panic!("no {what} in time: {seen}"))
    }

    /// Waits until the first POST has ended, from either side.
    pub fn first_post_over(&self) -> Post {
        self.wait("end of the request", |state| state.posts.first().filter(|post| post.is_closed).cloned())
    }

    /// Waits for this many bytes of audio over all requests that were not refused, and returns all received bytes.
    pub fn audio(&self, bytes: usize) -> Vec<u8> {
        self.wait("audio", |state| {
            let all: Vec<u8> = state.posts.iter().flat_map(|post| post.audio.iter().copied()).collect();
            (all.len() >= bytes).then_some(all)
        })
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        self.change(|state| state.is_over = true);
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(number: usize, tcp: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(tcp.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        if head.starts_with("POST") {
            return take_audio(number, head, reader, &tcp, shared);
        }
        if give_audio(number, head, &tcp, shared)? {
            return Ok(());
        }
    }
}

fn refusal(state: &State, head: &str) -> Option<Plan> {
    let bearer = state.bearer.as_ref()?;
    (!head.contains(&format!("Bearer {bearer}\r\n"))).then_some(Plan::Refuse(401))
}

fn answer(mut tcp: &TcpStream, status: u16) -> std::io::Result<()> {
    write!(tcp, "HTTP/1.1 {status} So\r\ncontent-length: 2\r\n\r\n{{}}")
}

fn take_audio(
    connection: usize,
    head: String,
    mut reader: BufReader<TcpStream>,
    tcp: &TcpStream,
    shared: &Shared,
) -> std::io::Result<()> {
    let (index, plan) = {
        let mut state = lock(shared);
        let plan = refusal(&state, &head).or_else(|| state.post_plans.pop_front());
        state.posts.push(Post {
            connection,
            head,
            audio: vec![],
            chunks: vec![],
            is_complete: false,
            is_closed: false,
        });
        (state.posts.len() - 1, plan)
    };
    shared.1.notify_all();
    if let Some(Plan::Refuse(status)) = plan {
        answer(tcp, status)?;
    }
    let mut is_cut = false;
    let mut size = String::new();
    loop {
        size.clear();
        let chunk = match reader.read_line(&mut size) {
            Ok(0) | Err(_) => break,
            Ok(_) => usize::from_str_radix(size.trim_end(), 16).unwrap(),
        };
        let mut bytes = vec![0; chunk + 2];
        if reader.read_exact(&mut bytes).is_err() {
            break;
        }
        assert_eq!(bytes.split_off(chunk), b"\r\n");
        if chunk == 0 {
            lock(shared).posts[index].is_complete = true;
            if !is_cut {
                answer(tcp, 200)?;
            }
            break;
        }
        let total = {
            let mut state = lock(shared);
            let post = &mut state.posts[index];
            post.chunks.push(chunk);
            if !matches!(plan, Some(Plan::Refuse(_))) {
                post.audio.extend_from_slice(&bytes);
            }
            post.audio.len()
        };
        shared.1.notify_all();
        match plan {
            Some(Plan::CutAfter(limit)) if total >= limit && !is_cut => {
                is_cut = true;
                tcp.shutdown(Shutdown::Write)?;
            }
            Some(Plan::AnswerAfter(limit, status)) if total >= limit && !is_cut => {
                is_cut = true;
                answer(tcp, status)?;
            }
            _ => {}
        }
    }
    lock(shared).posts[index].is_closed = true;
    shared.1.notify_all();
    Ok(())
}

/// Returns whether the connection must be closed.
fn give_audio(
    connection: usize,
    head: String,
    mut tcp: &TcpStream,
    shared: &Shared,
) -> std::io::Result<bool> {
    let plan = {
        let mut state = lock(shared);
        let plan = refusal(&state, &head).or_else(|| state.get_plans.pop_front());
        state.gets.push(Get { connection, head });
        plan
    };
    shared.1.notify_all();
    if let Some(Plan::Refuse(status)) = plan {
        answer(tcp, status)?;
        return Ok(false);
    }
    write!(
        tcp,
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    loop {
        let (chunks, ends) = {
            let state = lock(shared);
            let quiet = |state: &mut State| state.caller.is_empty() && !state.caller_ends && !state.is_over;
            let (mut state, _) = shared.1.wait_timeout_while(state, DEADLINE, quiet).unwrap();
            let ends = std::mem::take(&mut state.caller_ends) || state.is_over;
            (std::mem::take(&mut state.caller), ends)
        };
        for chunk in chunks {
            write!(tcp, "{:x}\r\n", chunk.len())?;
            tcp.write_all(&chunk)?;
            tcp.write_all(b"\r\n")?;
        }
        if ends {
            tcp.write_all(b"0\r\n\r\n")?;
            return Ok(true);
        }
    }
}
