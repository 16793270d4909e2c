//! The audio that precall sends into one leg, and what happens to it when the upload that carries it breaks.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::Recipient;
use bytes::Bytes;
use precall_base::clock;
use precall_call::At;

use crate::bridge::agent_session::AgentSession;
use crate::clip::{bytes_within, duration_of, whole_samples};
use crate::leg_events::{AgentStats, LegAudioEvent, LegAudioStats, LegReport};
use crate::net::stream_retry::AttemptError;
use crate::net::upload_body::UploadBody;
use crate::pacer::{Lead, Pacer};
use crate::playlist::{Mark, Playlist};
use crate::playlist_cursor::{MarkPassed, PlaylistCursor, Position};
use crate::tap::{TapChannel, Taps};

/// The PBX refuses a request within this time: its audio was not heard and is sent again. A later refusal cuts a stream
/// that was heard.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);
/// A socket that takes nothing for this long, its kernel buffer being full, is dead. That buffer holds another half to
/// one second, so the PBX took nothing for two to three seconds by then.
const STALLED_AFTER: Duration = Duration::from_millis(1_500);
/// Quieter samples count as silence: decoders leave such noise in silence.
const AUDIBLE: u16 = 32;

/// A leg's playlist, its pacer and the open upload.
pub(crate) struct Playout {
    reports: Recipient<LegReport>,
    cursor: PlaylistCursor,
    pacer: Pacer,
    stats: LegAudioStats,
    pending_marks: VecDeque<PendingMark>,
    first_frame_reported: bool,
    first_sound_reported: bool,
    /// The upload was cut, and the next one may still be refused.
    is_cut: bool,
    stream: Option<Stream>,
    is_closed: bool,
    taps: Rc<Taps>,
    /// Nobody may listen before this mark was heard.
    private_until: Option<Mark>,
}

/// A mark that was written and is not heard yet.
struct PendingMark {
    mark: Mark,
    due: Instant,
    /// Number of the stream: marks of a refused stream are dropped.
    stream: u32,
}

/// An open upload request.
struct Stream {
    upload: Rc<UploadBody>,
    checkpoint: Checkpoint,
    /// None until the socket has taken the first piece.
    first_write: Option<FirstWrite>,
    piece: Option<Piece>,
    /// Marks within that piece. The allocation is reused.
    marks: Vec<MarkPassed>,
}

/// The state before a stream was opened. It is restored when the PBX refuses the stream.
struct Checkpoint {
    position: Position,
    pacer: Pacer,
    stats: LegAudioStats,
    first_frame_reported: bool,
    first_sound_reported: bool,
}

/// The socket took a stream's first piece.
#[derive(Clone, Copy)]
struct FirstWrite {
    at: At,
    moment: Instant,
    /// How long the caller had nothing to hear before it.
    gap: Duration,
    /// `Reopened` was reported, or there was no cut to report.
    is_reported: bool,
}

/// The piece that the upload holds.
struct Piece {
    source: PieceSource,
    bytes: usize,
    has_sound: bool,
    since: Instant,
    /// The same audio, if somebody listens.
    tapped: Option<Bytes>,
}

/// Where a piece came from, so that its unsent rest can be sent again.
enum PieceSource {
    Playlist(Position),
    Agent(Bytes),
}

/// Figures of the same leg that are counted elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConversationStats {
    pub(crate) caller_bytes: u64,
    pub(crate) agents: AgentStats,
}

/// How an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The PBX answered with a refusal.
    Refused(AttemptError),
    /// The connection broke, or the PBX answered before the end of the body.
    Broken,
    /// The PBX took no more audio.
    Stalled,
}

impl Playout {
    pub(crate) fn new(reports: Recipient<LegReport>, playlist: Playlist, lead: Lead) -> Self {
        Self {
            reports,
            private_until: playlist.private_mark(),
            cursor: PlaylistCursor::new(playlist),
            pacer: Pacer::new(lead),
            stats: LegAudioStats::default(),
            pending_marks: VecDeque::new(),
            first_frame_reported: false,
            first_sound_reported: false,
            is_cut: false,
            stream: None,
            is_closed: false,
            taps: Rc::default(),
        }
    }

    /// The taps of the leg.
    pub(crate) fn taps(&self) -> Rc<Taps> {
        Rc::clone(&self.taps)
    }

    /// Whether the caller has not heard yet what must be heard before anybody may listen.
    pub(crate) fn is_private(&self) -> bool {
        self.private_until.is_some()
    }

    /// Hands the audio that is due to the upload, and reports the marks that were heard.
    pub(crate) fn tick(&mut self, now: Instant, mut session: Option<&mut AgentSession>) {
        if self.is_closed {
            return;
        }
        let written = self.record_flushed();
        if let Some(session) = session.as_deref_mut() {
            if let Some(at) = written {
                session.was_written(at);
            }
            self.drop_stale_piece(session);
        }
        self.report_heard(now);
        self.report_reopened(now);
        let Some(stream) = &self.stream else { return };
        match &stream.piece {
            Some(piece) if now.saturating_duration_since(piece.since) > STALLED_AFTER => {
                stream.upload.abort()
            }
            Some(_) => {}
            None => self.put_piece(self.pacer.due(now), now, session),
        }
    }

    /// Whether an upload is open and has taken audio.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.first_write.is_some())
    }

    /// How much written audio the listener has not heard yet.
    pub(crate) fn ahead(&self, now: Instant) -> Duration {
        self.pacer.ahead(now)
    }

    /// Time until this mark is written to its end; none when it is not ahead.
    pub(crate) fn time_until(&self, mark: Mark) -> Option<Duration> {
        self.cursor.time_until(mark)
    }

    /// Takes back a piece that the connection has not taken yet, when it is music and the agent speaks now, or when it
    /// is the agent's and the caller interrupted the agent.
    fn drop_stale_piece(&mut self, session: &mut AgentSession) {
        let Some(stream) = &mut self.stream else { return };
        let is_stale = match stream.piece.as_ref().map(|piece| &piece.source) {
            Some(PieceSource::Playlist(_)) => session.has_audio_to_play(),
            Some(PieceSource::Agent(_)) => session.take_interrupted(),
            None => false,
        };
        if is_stale && stream.upload.take_back() {
            stream.piece = None;
        }
    }

    /// Replaces the rest of the playlist. A piece that the connection has not taken yet is dropped too.
    pub(crate) fn play(&mut self, playlist: Playlist) {
        self.record_flushed();
        if let Some(stream) = &mut self.stream
            && stream.upload.take_back()
        {
            stream.piece = None;
        }
        self.private_until = playlist.private_mark().or(self.private_until);
        self.cursor.play(playlist);
    }

    /// Plays for a new owner: from now on all events go there, the first frame and the first sound again.
    pub(crate) fn change_owner(&mut self, reports: Recipient<LegReport>, playlist: Playlist) {
        self.play(playlist);
        self.pending_marks.clear();
        self.reports = reports;
        self.first_frame_reported = false;
        self.first_sound_reported = false;
    }

    /// Call before a request is sent that takes its pieces from this upload.
    pub(crate) fn attach(
        &mut self,
        upload: &Rc<UploadBody>,
        now: Instant,
        session: Option<&mut AgentSession>,
    ) {
        let checkpoint = Checkpoint {
            position: self.cursor.position(),
            pacer: self.pacer.clone(),
            stats: self.stats,
            first_frame_reported: self.first_frame_reported,
            first_sound_reported: self.first_sound_reported,
        };
        self.stats.posts_opened = self.stats.posts_opened.saturating_add(1);
        self.stream = Some(Stream {
            upload: Rc::clone(upload),
            checkpoint,
            first_write: None,
            piece: None,
            marks: Vec::new(),
        });
        self.put_piece(self.pacer.room(now), now, session);
    }

    fn put_piece(&mut self, bytes: usize, now: Instant, session: Option<&mut AgentSession>) {
        let Some(stream) = &mut self.stream else { return };
        if bytes == 0 {
            return;
        }
        stream.marks.clear();
        let mut at_most = bytes;
        let from_agent = session.and_then(|session| {
            let left = self.cursor.time_until(session.order().begins.0);
            match session.playlist_before_agent(left) {
                Some(left) => {
                    at_most = at_most.min(bytes_within(left));
                    None
                }
                None => session.next_piece(bytes),
            }
        });
        let (source, pcm) = match from_agent {
            Some(pcm) => (PieceSource::Agent(pcm.clone()), pcm),
            None => {
                let position = self.cursor.position();
                (PieceSource::Playlist(position), self.cursor.piece(at_most, &mut stream.marks))
            }
        };
        let has_sound = !self.first_sound_reported && is_audible(&pcm);
        let tapped = self.taps.is_on().then(|| pcm.clone());
        stream.piece = Some(Piece { source, bytes: pcm.len(), has_sound, since: now, tapped });
        stream.upload.put(pcm);
    }

    /// Records the piece that the socket has taken whole, if there is one. Returns when, if it was the agent's.
    fn record_flushed(&mut self) -> Option<Instant> {
        let stream = self.stream.as_mut()?;
        let flushed = stream.upload.take_flushed()?;
        let piece = stream.piece.take()?;
        let gap = self.record_written(flushed.moment, piece.bytes, piece.tapped.as_ref());
        let stream = self.stream.as_mut()?;
        if stream.first_write.is_none() {
            let is_reported = !self.is_cut;
            stream.first_write =
                Some(FirstWrite { at: flushed.at, moment: flushed.moment, gap, is_reported });
        }
        if !self.first_frame_reported {
            self.first_frame_reported = true;
            self.report(flushed.at, LegAudioEvent::FirstFrame);
        }
        if piece.has_sound && !self.first_sound_reported {
            self.first_sound_reported = true;
            self.report(flushed.at, LegAudioEvent::FirstSound);
        }
        matches!(piece.source, PieceSource::Agent(_)).then_some(flushed.moment)
    }

    /// Records that the first `bytes` bytes of the present piece were written. Returns the gap before them. `tapped` is
    /// the piece, if somebody listens.
    fn record_written(&mut self, moment: Instant, bytes: usize, tapped: Option<&Bytes>) -> Duration {
        let timing = self.pacer.wrote(moment, bytes);
        if let Some(pcm) = tapped {
            self.taps.write(TapChannel::ToCaller, timing.starts_at, &pcm.slice(..bytes.min(pcm.len())));
        }
        self.stats.pieces = self.stats.pieces.saturating_add(1);
        self.stats.bytes = self.stats.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let number = self.stats.posts_opened.saturating_add(self.stats.posts_refused);
        let passed = self.stream.iter().flat_map(|stream| &stream.marks);
        let marks = passed.filter(|passed| passed.after <= bytes).map(|passed| PendingMark {
            mark: passed.mark,
            due: timing.starts_at + duration_of(passed.after),
            stream: number,
        });
        self.pending_marks.extend(marks);
        timing.gap
    }

    /// The upload request has ended: decides which part of its audio counts as heard. Returns the reason, for the
    /// retry.
    pub(crate) fn detach(
        &mut self,
        end: StreamEnd,
        now: Instant,
        session: Option<&mut AgentSession>,
    ) -> AttemptError {
        self.record_flushed();
        let Some(stream) = self.stream.take() else {
            return match end {
                StreamEnd::Refused(error) => error,
                StreamEnd::Broken | StreamEnd::Stalled => AttemptError::Unreachable,
            };
        };
        let lived =
            stream.first_write.map_or(Duration::ZERO, |first| now.saturating_duration_since(first.moment));
        if let StreamEnd::Refused(error) = end
            && lived < REFUSED_WITHIN
        {
            self.restore(stream);
            return error;
        }
        let was_open = stream.first_write.is_some();
        let mut stream = stream;
        if let Some(piece) = stream.piece.take() {
            let taken = whole_samples(stream.upload.taken());
            // The bytes that the socket took count as heard; the next stream continues after them.
            self.stream = Some(stream);
            if taken > 0 {
                self.record_written(now, taken, piece.tapped.as_ref());
            }
            self.stream = None;
            match (piece.source, session) {
                (PieceSource::Playlist(position), _) => self.cursor.go_back(position, taken),
                (PieceSource::Agent(pcm), Some(session)) => {
                    session.give_back(pcm.slice(taken.min(pcm.len())..));
                }
                (PieceSource::Agent(_), None) => {}
            }
        }
        if !was_open {
            self.stats.posts_opened = self.stats.posts_opened.saturating_sub(1);
            return AttemptError::Unreachable;
        }
        if !self.is_cut {
            self.is_cut = true;
            self.report(clock::now(), LegAudioEvent::Cut);
        }
        match end {
            StreamEnd::Refused(AttemptError::Forbidden) => AttemptError::Forbidden,
            StreamEnd::Stalled => AttemptError::Stalled(lived),
            // The stream was open, so it is reopened whatever the status was. An expired token is refused again then.
            StreamEnd::Refused(_) | StreamEnd::Broken => AttemptError::Cut(lived),
        }
    }

    /// Restores the state before a refused stream: none of its audio was heard.
    fn restore(&mut self, stream: Stream) {
        let number = self.stats.posts_opened.saturating_add(self.stats.posts_refused);
        self.pending_marks.retain(|pending| pending.stream != number);
        let Checkpoint { position, pacer, stats, first_frame_reported, first_sound_reported } =
            stream.checkpoint;
        self.cursor.go_back(position, 0);
        self.pacer = pacer;
        let posts_refused = stats.posts_refused.saturating_add(1);
        self.stats = LegAudioStats { posts_refused, ..stats };
        self.first_frame_reported = first_frame_reported;
        self.first_sound_reported = first_sound_reported;
    }

    fn report_heard(&mut self, now: Instant) {
        while let Some(pending) = self.pending_marks.front() {
            if pending.due > now || self.may_be_refused(now) {
                return;
            }
            let mark = pending.mark;
            self.pending_marks.pop_front();
            self.private_until.take_if(|until| *until == mark);
            self.report(clock::now(), LegAudioEvent::Heard(mark));
        }
    }

    fn report_reopened(&mut self, now: Instant) {
        if self.may_be_refused(now) {
            return;
        }
        let Some(first) = self.stream.as_mut().and_then(|stream| stream.first_write.as_mut()) else { return };
        if std::mem::replace(&mut first.is_reported, true) {
            return;
        }
        let FirstWrite { at, gap, .. } = *first;
        self.is_cut = false;
        self.stats.reopened = self.stats.reopened.saturating_add(1);
        self.report(at, LegAudioEvent::Reopened { gap });
    }

    /// Whether the open stream is so young that the PBX may still refuse it.
    fn may_be_refused(&self, now: Instant) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            stream
                .first_write
                .is_none_or(|first| now.saturating_duration_since(first.moment) < REFUSED_WITHIN)
        })
    }

    /// Ends the audio and its upload, and reports `Closed`.
    pub(crate) fn close(&mut self, now: Instant, conversation: ConversationStats) {
        if self.is_closed {
            return;
        }
        self.record_flushed();
        self.report_reopened(now);
        if let Some(stream) = self.stream.take() {
            stream.upload.end();
        }
        let gaps = self.pacer.gaps();
        let stats = LegAudioStats {
            longest_gap: gaps.longest,
            gaps_over_40ms: gaps.over_40ms,
            late_pieces: gaps.late,
            caller_bytes: conversation.caller_bytes,
            agents: conversation.agents,
            ..self.stats
        };
        self.report(clock::now(), LegAudioEvent::Closed(stats));
        self.is_closed = true;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Reports to the owner; does nothing after `Closed`.
    pub(crate) fn report(&self, at: At, what: LegAudioEvent) {
        if !self.is_closed {
            self.reports.do_send(LegReport { at, what });
        }
    }
}

fn is_audible(pcm: &[u8]) -> bool {
    let (samples, _) = pcm.as_chunks::<2>();
    samples.iter().any(|sample| i16::from_le_bytes(*sample).unsigned_abs() >= AUDIBLE)
}
