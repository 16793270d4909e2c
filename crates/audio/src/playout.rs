//! What is said into one leg, and what becomes of it when the stream under it breaks.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::Recipient;
use bytes::Bytes;
use precall_base::clock;
use precall_call::At;

use super::clip::{bytes_within, duration_of, whole_samples};
use crate::bridge::agent_session::Talk;
use crate::leg_events::{AgentFigures, LegAudioStats, LegNews, LegReport};
use crate::net::stream_retry::Trouble;
use crate::net::upload_body::Outlet;
use crate::pacer::{Lead, Pace};
use crate::playlist::{Mark, Scene};
use crate::playlist_cursor::{Ended, Place, Player};

/// A request that the PBX refuses is refused by then: what it carried was not heard, and is said again. Later a refusal
/// cuts a stream that was heard.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);
/// A socket that takes nothing for so long leads nowhere: a kernel's buffer of audio, and then this.
const STALLED_AFTER: Duration = Duration::from_secs(3);
/// Samples quieter than this are silence to whoever listens: decoders leave such noise in it.
const AUDIBLE: u16 = 32;

/// A leg's scene, its clock, and the request that carries them now.
pub(super) struct Speech {
    reports: Recipient<LegReport>,
    player: Player,
    pace: Pace,
    stats: LegAudioStats,
    heard_soon: VecDeque<HeardSoon>,
    is_first_frame_known: bool,
    is_first_sound_known: bool,
    /// The stream to the caller was cut, and the next one has not proved itself yet.
    is_cut: bool,
    stream: Option<Stream>,
    is_gone: bool,
}

/// A mark that was written and is playing.
struct HeardSoon {
    mark: Mark,
    due: Instant,
    /// Counts the streams: what a refused one carried was not heard.
    stream: u32,
}

/// An open request that carries audio.
struct Stream {
    outlet: Rc<Outlet>,
    opened: Opened,
    /// When its first piece was taken by the socket, and the gap before it.
    proved: Option<Proof>,
    piece: Option<Piece>,
    /// Marks within that piece; the memory is used again.
    ended: Vec<Ended>,
}

/// What there was before a stream was opened, in case it is refused.
struct Opened {
    place: Place,
    pace: Pace,
    stats: LegAudioStats,
    is_first_frame_known: bool,
    is_first_sound_known: bool,
}

#[derive(Clone, Copy)]
struct Proof {
    at: At,
    moment: Instant,
    gap: Duration,
    /// `Reopened` was reported, or there was nothing to report.
    is_reported: bool,
}

/// The piece that is in the outlet.
struct Piece {
    from: From,
    bytes: usize,
    has_sound: bool,
    since: Instant,
}

/// Where a piece came from, so that what was not said of it can be said again.
enum From {
    Scene(Place),
    Agent(Bytes),
}

/// Figures of the same leg that are kept elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OtherFigures {
    pub(super) caller_bytes: u64,
    pub(super) agents: AgentFigures,
}

/// How a stream to the caller ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// The PBX's answer was a refusal.
    Refused(Trouble),
    /// It broke, or was answered before its end.
    Broken,
}

impl Speech {
    pub(super) fn new(reports: Recipient<LegReport>, scene: Scene, lead: Lead) -> Self {
        Self {
            reports,
            player: Player::new(scene),
            pace: Pace::new(lead),
            stats: LegAudioStats::default(),
            heard_soon: VecDeque::new(),
            is_first_frame_known: false,
            is_first_sound_known: false,
            is_cut: false,
            stream: None,
            is_gone: false,
        }
    }

    /// Hands over what is due, and reports what was heard.
    pub(super) fn tick(&mut self, now: Instant, mut talk: Option<&mut Talk>) {
        if self.is_gone {
            return;
        }
        self.settle();
        if let Some(talk) = talk.as_deref_mut() {
            self.make_way_for(talk);
        }
        self.report_heard(now);
        self.report_reopened(now);
        let Some(stream) = &self.stream else { return };
        match &stream.piece {
            Some(piece) if now.saturating_duration_since(piece.since) > STALLED_AFTER => {
                stream.outlet.give_up()
            }
            Some(_) => {}
            None => self.put(self.pace.due(now), now, talk),
        }
    }

    /// How much the listener still has.
    pub(super) fn ahead(&self, now: Instant) -> Duration {
        self.pace.ahead(now)
    }

    /// How long it takes until this mark is written to its end; none when it is not ahead.
    pub(super) fn until(&self, mark: Mark) -> Option<Duration> {
        self.player.until(mark)
    }

    /// Music that no connection has taken yet is not heard before the agent's word; nor is a word that was interrupted.
    fn make_way_for(&mut self, talk: &mut Talk) {
        let Some(stream) = &mut self.stream else { return };
        let stale = match stream.piece.as_ref().map(|piece| &piece.from) {
            Some(From::Scene(_)) => talk.speaks(),
            Some(From::Agent(_)) => talk.was_interrupted(),
            None => false,
        };
        if stale && stream.outlet.take_back() {
            stream.piece = None;
        }
    }

    /// Puts another scene in place of what is left. A piece that no connection has taken yet is not said either.
    pub(super) fn play(&mut self, scene: Scene) {
        self.settle();
        if let Some(stream) = &mut self.stream
            && stream.outlet.take_back()
        {
            stream.piece = None;
        }
        self.player.play(scene);
    }

    /// A request is about to be sent that takes its pieces from this outlet.
    pub(super) fn attach(&mut self, outlet: &Rc<Outlet>, now: Instant, talk: Option<&mut Talk>) {
        let opened = Opened {
            place: self.player.place(),
            pace: self.pace.clone(),
            stats: self.stats,
            is_first_frame_known: self.is_first_frame_known,
            is_first_sound_known: self.is_first_sound_known,
        };
        self.stats.posts_opened = self.stats.posts_opened.saturating_add(1);
        self.stream =
            Some(Stream { outlet: Rc::clone(outlet), opened, proved: None, piece: None, ended: Vec::new() });
        self.put(self.pace.room(now), now, talk);
    }

    fn put(&mut self, bytes: usize, now: Instant, talk: Option<&mut Talk>) {
        let Some(stream) = &mut self.stream else { return };
        if bytes == 0 {
            return;
        }
        stream.ended.clear();
        let mut at_most = bytes;
        let said = talk.and_then(|talk| {
            let left = self.player.until(talk.order().begins.0);
            match talk.scene_until(left) {
                Some(left) => {
                    at_most = at_most.min(bytes_within(left));
                    None
                }
                None => talk.next_piece(bytes),
            }
        });
        let (from, pcm) = match said {
            Some(pcm) => (From::Agent(pcm.clone()), pcm),
            None => {
                let place = self.player.place();
                (From::Scene(place), self.player.piece(at_most, &mut stream.ended))
            }
        };
        let has_sound = !self.is_first_sound_known && is_audible(&pcm);
        stream.piece = Some(Piece { from, bytes: pcm.len(), has_sound, since: now });
        stream.outlet.put(pcm);
    }

    /// Takes note of the piece that the socket has taken.
    fn settle(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let Some(flushed) = stream.outlet.take_flushed() else { return };
        let Some(piece) = stream.piece.take() else { return };
        let gap = self.note_written(flushed.moment, piece.bytes);
        let Some(stream) = &mut self.stream else { return };
        if stream.proved.is_none() {
            let is_reported = !self.is_cut;
            stream.proved = Some(Proof { at: flushed.at, moment: flushed.moment, gap, is_reported });
        }
        if !self.is_first_frame_known {
            self.is_first_frame_known = true;
            self.report(flushed.at, LegNews::FirstFrame);
        }
        if piece.has_sound && !self.is_first_sound_known {
            self.is_first_sound_known = true;
            self.report(flushed.at, LegNews::FirstSound);
        }
    }

    /// Bytes of the present piece were written, its first ones. Says how long the caller had nothing to hear before.
    fn note_written(&mut self, moment: Instant, bytes: usize) -> Duration {
        let playing = self.pace.wrote(moment, bytes);
        self.stats.pieces = self.stats.pieces.saturating_add(1);
        self.stats.bytes = self.stats.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let number = self.stats.posts_opened.saturating_add(self.stats.posts_refused);
        let ended = self.stream.iter().flat_map(|stream| &stream.ended);
        let marks = ended.filter(|end| end.after <= bytes).map(|end| HeardSoon {
            mark: end.mark,
            due: playing.from + duration_of(end.after),
            stream: number,
        });
        self.heard_soon.extend(marks);
        playing.gap
    }

    /// That request has ended: decides what of it was said.
    pub(super) fn detach(&mut self, end: StreamEnd, now: Instant, talk: Option<&mut Talk>) -> Trouble {
        self.settle();
        let Some(stream) = self.stream.take() else {
            return match end {
                StreamEnd::Refused(trouble) => trouble,
                StreamEnd::Broken => Trouble::Unreachable,
            };
        };
        let lived = stream.proved.map_or(Duration::ZERO, |proof| now.saturating_duration_since(proof.moment));
        if let StreamEnd::Refused(trouble) = end
            && lived < REFUSED_WITHIN
        {
            self.take_all_back(stream);
            return trouble;
        }
        let was_proved = stream.proved.is_some();
        let mut stream = stream;
        if let Some(piece) = stream.piece.take() {
            let taken = whole_samples(stream.outlet.taken());
            // Whatever the socket took of it counts as said; the next stream goes on behind it.
            self.stream = Some(stream);
            if taken > 0 {
                self.note_written(now, taken);
            }
            self.stream = None;
            match (piece.from, talk) {
                (From::Scene(place), _) => self.player.go_back(place, taken),
                (From::Agent(pcm), Some(talk)) => talk.give_back(pcm.slice(taken.min(pcm.len())..)),
                (From::Agent(_), None) => {}
            }
        }
        if !was_proved {
            self.stats.posts_opened = self.stats.posts_opened.saturating_sub(1);
            return Trouble::Unreachable;
        }
        if !self.is_cut {
            self.is_cut = true;
            self.report(clock::now(), LegNews::Cut);
        }
        match end {
            StreamEnd::Refused(Trouble::Forbidden) => Trouble::Forbidden,
            // It was open, so it is opened again, whatever the PBX says about it: a token that is old is told again.
            StreamEnd::Refused(_) | StreamEnd::Broken => Trouble::Cut(lived),
        }
    }

    /// Nothing of what a refused request carried was heard.
    fn take_all_back(&mut self, stream: Stream) {
        let number = self.stats.posts_opened.saturating_add(self.stats.posts_refused);
        self.heard_soon.retain(|soon| soon.stream != number);
        let Opened { place, pace, stats, is_first_frame_known, is_first_sound_known } = stream.opened;
        self.player.go_back(place, 0);
        self.pace = pace;
        let posts_refused = stats.posts_refused.saturating_add(1);
        self.stats = LegAudioStats { posts_refused, ..stats };
        self.is_first_frame_known = is_first_frame_known;
        self.is_first_sound_known = is_first_sound_known;
    }

    fn report_heard(&mut self, now: Instant) {
        while let Some(soon) = self.heard_soon.front() {
            if soon.due > now || self.is_on_trial(now) {
                return;
            }
            let mark = soon.mark;
            self.heard_soon.pop_front();
            self.report(clock::now(), LegNews::Heard(mark));
        }
    }

    fn report_reopened(&mut self, now: Instant) {
        if self.is_on_trial(now) {
            return;
        }
        let Some(proof) = self.stream.as_mut().and_then(|stream| stream.proved.as_mut()) else { return };
        if std::mem::replace(&mut proof.is_reported, true) {
            return;
        }
        let Proof { at, gap, .. } = *proof;
        self.is_cut = false;
        self.stats.reopened = self.stats.reopened.saturating_add(1);
        self.report(at, LegNews::Reopened { gap });
    }

    /// Whether the open stream is so young that the PBX may still refuse it.
    fn is_on_trial(&self, now: Instant) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            stream.proved.is_none_or(|proof| now.saturating_duration_since(proof.moment) < REFUSED_WITHIN)
        })
    }

    /// Ends what is said, and its request.
    pub(super) fn close(&mut self, now: Instant, others: OtherFigures) {
        if self.is_gone {
            return;
        }
        self.settle();
        self.report_reopened(now);
        if let Some(stream) = self.stream.take() {
            stream.outlet.end();
        }
        let gaps = self.pace.gaps();
        let stats = LegAudioStats {
            longest_gap: gaps.longest,
            gaps_over_40ms: gaps.over_40ms,
            late_pieces: gaps.late,
            caller_bytes: others.caller_bytes,
            agents: others.agents,
            ..self.stats
        };
        self.report(clock::now(), LegNews::Closed(stats));
        self.is_gone = true;
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Tells the owner, who hears nothing after the end.
    pub(super) fn report(&self, at: At, what: LegNews) {
        if !self.is_gone {
            self.reports.do_send(LegReport { at, what });
        }
    }
}

fn is_audible(pcm: &[u8]) -> bool {
    let (samples, _) = pcm.as_chunks::<2>();
    samples.iter().any(|sample| i16::from_le_bytes(*sample).unsigned_abs() >= AUDIBLE)
}
