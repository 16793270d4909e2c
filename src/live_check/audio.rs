//! Measures the audio streams of a leg: before and after Connected, two at once, and audio sent ahead.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::Method;
use awc::http::header::ACCEPT;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::finding::{Findings, words};
use super::leg::{leg_path, still_there};
use super::pbx::{ANSWER_WITHIN, Pbx};
use super::post_stream::{Ended, FRAME, FRAME_BYTES, PostStream, Written};
use super::until::until;

/// After Connected, the streams may be refused this long.
const READY_WITHIN: Duration = Duration::from_secs(10);
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// Time for the PBX to refuse an early POST.
const REFUSED_WITHIN: Duration = Duration::from_millis(300);
/// Two streams are watched this long.
const BOTH_FOR: Duration = Duration::from_millis(800);
/// A write that blocks this long counts as back-pressure.
const HELD_BACK: Duration = Duration::from_millis(400);
const FRAMES_A_SECOND: usize = 50;
const AHEAD_SECONDS: usize = 4;
const TONE_HEARD: Duration = Duration::from_millis(1_300);
const PLAYED_WITHIN: Duration = Duration::from_secs(8);
const BODY_BYTES_MAX: usize = 16 * 1024;
const TONE_LOUDNESS: i16 = 5_000;
/// Samples of half a period: 500 Hz.
const TONE_HALF: usize = 8;

/// The caller's audio. Its bytes are counted and dropped.
pub(super) struct GetStream {
    state: Rc<RefCell<GetState>>,
    reading: JoinHandle<()>,
}

#[derive(Default)]
struct GetState {
    bytes: usize,
    ended: Option<(Instant, bool)>,
}

impl Drop for GetStream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl GetStream {
    /// When it ended, and whether it ended cleanly.
    pub(super) fn ended(&self) -> Option<(Instant, bool)> {
        self.state.borrow().ended
    }

    pub(super) fn bytes(&self) -> usize {
        self.state.borrow().bytes
    }
}

/// Requests the caller's audio. Returns the stream, or status and body of the refusal.
async fn open_get(pbx: &Pbx, leg: &str) -> Result<Result<GetStream, (u16, String)>, String> {
    let asking = pbx
        .request(Method::GET, &leg_path(pbx.own_dn(), leg, "stream"), &pbx.token())
        .insert_header((ACCEPT, "application/octet-stream"));
    let asked = tokio::time::timeout(ANSWER_WITHIN, asking.send()).await;
    let mut response =
        asked.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    if status != 200 {
        let body = tokio::time::timeout(ANSWER_WITHIN, response.body().limit(BODY_BYTES_MAX)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        return Ok(Err((status, words(&body))));
    }
    let state = Rc::<RefCell<GetState>>::default();
    let known = Rc::clone(&state);
    let reading = actix::spawn(async move {
        let mut is_clean = true;
        while let Some(chunk) = response.next().await {
            match chunk {
                Ok(chunk) => {
                    let mut got = known.borrow_mut();
                    got.bytes = got.bytes.saturating_add(chunk.len());
                }
                Err(_) => {
                    is_clean = false;
                    break;
                }
            }
        }
        known.borrow_mut().ended = Some((Instant::now(), is_clean));
    });
    Ok(Ok(GetStream { state, reading }))
}

/// Measures both streams before the leg is connected.
pub(super) async fn too_early(pbx: &Pbx, leg: &str, findings: &mut Findings) -> Result<(), String> {
    const GET: &str = "GET stream before Connected";
    const GETS: &str = "404 or 424; 200 with the ringing tone on an outbound call";
    match open_get(pbx, leg).await? {
        Ok(_) => findings.measured(GET, "200", GETS, true),
        Err((status, body)) => {
            findings.measured(GET, format_args!("{status} ({body})"), GETS, matches!(status, 404 | 424));
        }
    }
    const POST: &str = "POST stream before Connected";
    const POSTS: &str = "accepted, and never heard; or 404 or 424";
    let mut stream = PostStream::open(pbx.access(), &pbx.token(), leg).await?;
    stream.write(&silence(), HELD_BACK).await;
    let end = until(REFUSED_WITHIN, || stream.ended()).await;
    match &end {
        None => findings.measured(POST, "accepted", POSTS, true),
        Some(Ended::Answered { status: status @ (404 | 424), body, .. }) => {
            findings.measured(POST, format_args!("{status} ({})", words(body)), POSTS, true);
        }
        Some(other) => findings.measured(POST, other, POSTS, false),
    }
    stream.finish(REFUSED_WITHIN).await;
    Ok(())
}

/// Opens both streams after Connected, and retries until both are open.
pub(super) async fn open(
    pbx: &Pbx,
    leg: &str,
    findings: &mut Findings,
) -> Result<(GetStream, PostStream), String> {
    const GET: &str = "GET stream from Connected on";
    const POST: &str = "POST stream from Connected on";
    const EXPECTED: &str = "404 and 424 for a moment, then 200";
    let connected = Instant::now();
    // Both at once, as in a call of precall.
    let get = async {
        let mut refusals = Refusals::default();
        while connected.elapsed() < READY_WITHIN {
            match open_get(pbx, leg).await? {
                Ok(stream) => return Ok((stream, refusals.line(connected))),
                Err((status, body)) => refusals.add(connected, status, body),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        Err(format!("the PBX does not open the GET stream: {}", refusals.line(connected).0))
    };
    let post = async {
        let mut refusals = Refusals::default();
        while connected.elapsed() < READY_WITHIN {
            let mut stream = PostStream::open(pbx.access(), &pbx.token(), leg).await?;
            stream.write(&silence(), HELD_BACK).await;
            match until(REFUSED_WITHIN, || stream.ended()).await {
                None => return Ok((stream, refusals.line(connected))),
                Some(Ended::Answered { status, body, .. }) => refusals.add(connected, status, words(&body)),
                Some(Ended::Closed { .. }) => {
                    refusals.add(connected, 0, "the connection was closed".to_owned())
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        Err(format!("the PBX does not open the POST stream: {}", refusals.line(connected).0))
    };
    let (get, post): (Result<_, String>, Result<_, String>) = futures_util::future::join(get, post).await;
    let (get, (line, is_expected)) = get?;
    findings.measured(GET, format_args!("{line}200"), EXPECTED, is_expected);
    let (post, (line, is_expected)) = post?;
    findings.measured(POST, format_args!("{line}taken"), EXPECTED, is_expected);
    Ok((get, post))
}

/// Refusals before a stream opened. Equal answers in a row count once.
#[derive(Default)]
struct Refusals(Vec<(u16, String, Duration)>);

impl Refusals {
    fn add(&mut self, connected: Instant, status: u16, body: String) {
        match self.0.last_mut() {
            Some((last, answer, until)) if *last == status && *answer == body => *until = connected.elapsed(),
            Some(_) | None => self.0.push((status, body, connected.elapsed())),
        }
    }

    fn line(&self, connected: Instant) -> (String, bool) {
        let parts = self
            .0
            .iter()
            .map(|(status, body, until)| format!("{status} ({body}) until {} ms, ", until.as_millis()));
        let mut line: String = parts.collect();
        if !self.0.is_empty() {
            line.push_str(&format!("after {} ms ", connected.elapsed().as_millis()));
        }
        (line, self.0.iter().all(|(status, _, _)| matches!(status, 404 | 424)))
    }
}

/// Opens a second POST stream beside the first. Returns the stream that stays open.
pub(super) async fn second_post(
    pbx: &Pbx,
    leg: &str,
    mut first: PostStream,
    findings: &mut Findings,
) -> Result<PostStream, String> {
    const NAME: &str = "second POST stream";
    const EXPECTED: &str = "refused with 409, or it replaces the first";
    let mut second = PostStream::open(pbx.access(), &pbx.token(), leg).await?;
    let begun = Instant::now();
    let mut beat = tokio::time::interval(FRAME);
    while begun.elapsed() < BOTH_FOR {
        beat.tick().await;
        // A stream that has ended accepts no audio.
        for stream in [&mut first, &mut second] {
            if stream.ended().is_none() {
                stream.write(&silence(), HELD_BACK).await;
            }
        }
    }
    still_there(pbx, leg).await?;
    match (first.ended(), second.ended()) {
        (None, None) => {
            findings.measured(NAME, "both stay open; listen which one is heard", EXPECTED, false);
            second.finish(REFUSED_WITHIN).await;
            Ok(first)
        }
        (None, Some(end)) => {
            let is_refusal = matches!(end, Ended::Answered { status: 409, .. });
            findings.measured(
                NAME,
                format_args!("refused: {end}; the first stays open. Set THREECX_SECOND_STREAM=refused"),
                EXPECTED,
                is_refusal,
            );
            Ok(first)
        }
        (Some(end), None) => {
            findings.measured(NAME, format_args!("replaces the first: {end}"), EXPECTED, true);
            Ok(second)
        }
        (Some(one), Some(other)) => {
            let value = format!("ends both: the first {one}, the second {other}");
            findings.measured(NAME, value, EXPECTED, false);
            PostStream::open(pbx.access(), &pbx.token(), leg).await
        }
    }
}

/// Sends one second of a tone at once. After it was heard, sends four seconds of silence at once, and measures when the
/// PBX answers the end of the stream.
pub(super) async fn far_ahead(
    pbx: &Pbx,
    leg: &str,
    mut stream: PostStream,
    findings: &mut Findings,
) -> Result<(), String> {
    const BURST: &str = "play-out: 1 s at once";
    const AHEAD: &str = "play-out: 4 s ahead";
    let tone = tone();
    let (frames, took, end) = burst(&mut stream, &tone, FRAMES_A_SECOND).await;
    still_there(pbx, leg).await?;
    let heard = "listen whether one whole tone was heard";
    let value = format!("{} ms accepted in {} ms{}; {heard}", ms(frames), took.as_millis(), describe(end));
    findings.measured(BURST, value, "accepted at once", frames == FRAMES_A_SECOND);
    if end != Written::Taken {
        findings.not_measured(AHEAD, "the stream did not accept one second");
        return Ok(());
    }
    // A person listens for one whole tone, so no other audio may follow at once.
    tokio::time::sleep(TONE_HEARD).await;
    let (frames, took, end) = burst(&mut stream, &silence(), AHEAD_SECONDS * FRAMES_A_SECOND).await;
    still_there(pbx, leg).await?;
    let ahead = ms(frames);
    let taken = format!("{ahead} ms ahead after {} ms{}", took.as_millis(), describe(end));
    const EXPECTED: &str = "accepted or held back, and the stream stays open";
    if let Some(ended) = stream.ended() {
        findings.measured(AHEAD, format_args!("{taken}; the stream ended: {ended}"), EXPECTED, false);
        return Ok(());
    }
    if end != Written::Taken {
        let value = format!("{taken}, buffers of both kernels included");
        findings.measured(AHEAD, value, EXPECTED, end == Written::Stalled);
        return Ok(());
    }
    let finishing = Instant::now();
    let answer = stream.finish(PLAYED_WITHIN).await;
    still_there(pbx, leg).await?;
    let described = match &answer {
        Some(end) => {
            let after = end.at().saturating_duration_since(finishing).as_millis();
            format!("the end of the stream was answered after {after} ms: {end}")
        }
        None => format!("the end of the stream was not answered within {} s", PLAYED_WITHIN.as_secs()),
    };
    let value = format!("{taken}; {described}; listen how much of it is played");
    findings.measured(AHEAD, value, EXPECTED, answer.is_some());
    Ok(())
}

async fn burst(stream: &mut PostStream, frame: &[u8], frames: usize) -> (usize, Duration, Written) {
    let begun = Instant::now();
    for count in 0..frames {
        let written =
            if stream.ended().is_some() { Written::Broken } else { stream.write(frame, HELD_BACK).await };
        if written != Written::Taken {
            return (count, begun.elapsed(), written);
        }
    }
    (frames, begun.elapsed(), Written::Taken)
}

fn describe(end: Written) -> &'static str {
    match end {
        Written::Taken => " without back-pressure",
        Written::Stalled => ", then held back",
        Written::Broken => ", then cut",
    }
}

fn ms(frames: usize) -> u128 {
    FRAME.as_millis().saturating_mul(u128::try_from(frames).unwrap_or(u128::MAX))
}

/// 20 ms of silence.
pub(super) fn silence() -> Vec<u8> {
    vec![0; FRAME_BYTES]
}

/// 20 ms of 500 Hz in whole periods, so that frames join without a click.
fn tone() -> Vec<u8> {
    let loud = |n: usize| if (n / TONE_HALF).is_multiple_of(2) { TONE_LOUDNESS } else { -TONE_LOUDNESS };
    (0..FRAME_BYTES / 2).flat_map(|n| loud(n).to_le_bytes()).collect()
}
