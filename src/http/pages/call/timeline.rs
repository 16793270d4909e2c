//! The strips as a picture to scale, and as a table for who does not see it. Places are in per cent, so that the
//! picture fits every width; the script zooms by making it wider.

use std::time::Duration;

use maud::{Markup, html};
use precall_call::At;

use super::events;
use super::moment::{self, offset};
use super::strips::{Span, Strip};
use crate::story::Moment;

/// Height of a strip, in pixels.
const ROW: u32 = 32;
/// Height of what is drawn in it.
const BAR: u32 = 24;
/// Height of the strip of events and of the scale.
const EDGE: u32 = 20;
/// Width of a letter in per cent of the picture, where nobody has zoomed in.
const LETTER: f64 = 0.7;
/// Steps of the scale, in milliseconds.
const STEPS: [u32; 17] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
    1_800_000, 3_600_000, 7_200_000,
];
/// At most so many steps on the scale.
const STEPS_MAX: u32 = 12;

/// The time that the picture shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// The left side.
    pub(super) begin: At,
    /// The right side.
    pub(super) end: At,
}

impl Scale {
    /// Length in milliseconds, 1 at least.
    fn millis(self) -> u32 {
        u32::try_from(self.end.since(self.begin).as_millis()).unwrap_or(u32::MAX).max(1)
    }

    /// Place of a time, in per cent.
    fn place(self, at: At) -> f64 {
        let after = u32::try_from(at.since(self.begin).as_millis()).unwrap_or(u32::MAX);
        (f64::from(after) * 100.0 / f64::from(self.millis())).min(100.0)
    }

    /// Times of the scale: milliseconds from the beginning.
    fn ticks(self) -> Vec<u32> {
        let whole = self.millis();
        let fits = |step: &&u32| whole.checked_div(**step).unwrap_or_default() <= STEPS_MAX;
        let step = STEPS.iter().find(fits).copied().unwrap_or(whole);
        (0..=STEPS_MAX).map(|number| number.saturating_mul(step)).take_while(|at| *at <= whole).collect()
    }
}

fn percent(place: f64) -> String {
    format!("{place:.3}%")
}

fn tick_words(millis: u32) -> String {
    match millis {
        0 => "0 s".to_owned(),
        _ if !millis.is_multiple_of(1_000) => format!("{:.1}", f64::from(millis) / 1_000.0),
        _ if millis < 120_000 => format!("{}", millis / 1_000),
        _ => format!("{}:{:02}", millis / 60_000, millis / 1_000 % 60),
    }
}

/// The picture with its table. `chosen` is the event of the time travel.
pub(super) fn shown(strips: &[Strip], moments: &[Moment], scale: Scale, chosen: Option<&Moment>) -> Markup {
    let rows = u32::try_from(strips.len()).unwrap_or_default();
    let height = EDGE.saturating_mul(2).saturating_add(rows.saturating_mul(ROW));
    html! {
        div .timeline {
            ul .names aria-hidden="true" {
                li { "events" }
                @for strip in strips { li { (strip.name) } }
            }
            div #scroller .scroller tabindex="0" role="region" aria-label="Timeline of the call, to scale" {
                svg #picture width="100%" height=(height) role="img"
                    aria-label="What happened in the call, on one time scale. The table below says the same." {
                    (patterns())
                    (ticks(scale, height))
                    (events(moments, scale, chosen))
                    @for (number, strip) in (0..).zip(strips) {
                        (row(strip, EDGE.saturating_add(ROW.saturating_mul(number)), scale))
                    }
                    @if let Some(moment) = chosen {
                        @let x = percent(scale.place(moment.at));
                        line .cursor x1=(x) x2=(x) y1="0" y2=(height) {}
                    }
                }
            }
        }
        p #zoom .zoom hidden {
            button type="button" data-zoom="in" { "Zoom in" }
            button type="button" data-zoom="out" { "Zoom out" }
            button type="button" data-zoom="all" { "Whole call" }
            span .quiet { "Keys on the timeline: " kbd { "+" } " " kbd { "-" } " " kbd { "0" } ", arrows scroll." }
        }
        (silences(moments))
        (legend())
        (table(strips, scale))
    }
}

/// What tells the spans apart without their colours. The words are in them as well.
fn patterns() -> Markup {
    html! {
        defs {
            pattern #p-music width="12" height="8" patternUnits="userSpaceOnUse" {
                path .stroke d="M0 4 Q3 0 6 4 T12 4" {}
            }
            pattern #p-ringing width="8" height="8" patternUnits="userSpaceOnUse" { path .stroke d="M2 0 V8" {} }
            pattern #p-failed width="8" height="8" patternUnits="userSpaceOnUse" { path .stroke d="M0 8 L8 0" {} }
            pattern #p-work width="6" height="6" patternUnits="userSpaceOnUse" { circle .dot cx="2" cy="2" r="1" {} }
        }
    }
}

fn ticks(scale: Scale, height: u32) -> Markup {
    html! {
        @for millis in scale.ticks() {
            @let place = f64::from(millis) * 100.0 / f64::from(scale.millis());
            @let x = percent(place);
            line .grid x1=(x) x2=(x) y1="0" y2=(height.saturating_sub(EDGE)) {}
            text .tick x=(x) y=(height.saturating_sub(6)) text-anchor=(anchor(place)) { (tick_words(millis)) }
        }
    }
}

/// Words at the sides stay within the picture.
fn anchor(place: f64) -> &'static str {
    match place {
        place if place < 1.0 => "start",
        place if place > 97.0 => "end",
        _ => "middle",
    }
}

/// A mark for each event, which leads to the state after it.
fn events(moments: &[Moment], scale: Scale, chosen: Option<&Moment>) -> Markup {
    let shown = moments.iter().filter(|moment| moment.at <= scale.end);
    html! {
        @for moment in shown {
            @let is_chosen = chosen.is_some_and(|chosen| chosen.seq == moment.seq);
            a href=(moment::link(moment.seq)) tabindex="-1" data-at=(moment.seq) {
                svg x=(percent(scale.place(moment.at))) y="2" width="1" height="16" overflow="visible" {
                    path class=(if is_chosen { "event chosen" } else { "event" }) d="M-4 0 H4 L0 14 Z" {}
                    title { (offset(moment.at, scale.begin)) " event " (moment.seq) ": "
                        (events::sentence(moment)) }
                }
            }
        }
    }
}

fn row(strip: &Strip, y: u32, scale: Scale) -> Markup {
    html! {
        line .base x1="0" x2="100%" y1=(y.saturating_add(ROW)) y2=(y.saturating_add(ROW)) {}
        @for (place, span) in strip.spans.iter().enumerate() {
            @if span.is_moment() {
                (mark(span, strip.spans.get(place.saturating_add(1)), y, scale))
            } @else {
                (bar(span, y, scale))
            }
        }
    }
}

fn bar(span: &Span, y: u32, scale: Scale) -> Markup {
    let (from, to) = (scale.place(span.from), scale.place(span.to.unwrap_or(scale.end)));
    // Short things can be seen as well.
    let width = (to - from).max(0.15);
    let pattern = match span.look.class() {
        name @ ("music" | "ringing" | "failed" | "work") => Some(format!("url(#p-{name})")),
        _ => None,
    };
    html! {
        svg class={ "span s-" (span.look.class()) } x=(percent(from)) y=(y.saturating_add(4))
            width=(percent(width)) height=(BAR) {
            title { (in_words(span, scale)) }
            @if span.look.class() == "silence" {
                rect .ground width="100%" height=(BAR) {}
                line .flat x1="0" x2="100%" y1="12" y2="12" {}
            } @else {
                rect .ground width="100%" height=(BAR) rx="2" {}
                @if let Some(pattern) = pattern { rect width="100%" height=(BAR) fill=(pattern) {} }
            }
            text x="4" y="16" { (span.words) @if span.to.is_none() { " \u{25b8}" } }
        }
    }
}

/// A moment. Its words are drawn where there is room until the next span.
fn mark(span: &Span, next: Option<&Span>, y: u32, scale: Scale) -> Markup {
    let from = scale.place(span.from);
    let room = next.map_or(100.0, |next| scale.place(next.from)) - from;
    let wanted =
        f64::from(u32::try_from(span.words.chars().count()).unwrap_or(u32::MAX)).mul_add(LETTER, 1.2);
    let is_at_end = from + wanted > 100.0;
    html! {
        svg class={ "mark s-" (span.look.class()) } x=(percent(from)) y=(y.saturating_add(4)) width="1" height=(BAR)
            overflow="visible" {
            title { (in_words(span, scale)) }
            path .shape d="M0 2 L6 12 L0 22 L-6 12 Z" {}
            @if wanted <= room && !is_at_end { text x="9" y="16" { (span.words) } }
        }
    }
}

fn in_words(span: &Span, scale: Scale) -> String {
    let from = offset(span.from, scale.begin);
    let when = match span.to {
        Some(to) if to == span.from => from,
        Some(to) => format!("{from} to {}", offset(to, scale.begin)),
        None => format!("{from}, goes on"),
    };
    format!("{}: {when}, by {}", span.words, span.by)
}

/// Silences within the conversation: how long, and on whose turn. When they were is not in the log.
fn silences(moments: &[Moment]) -> Markup {
    let heard = moments.iter().rev().find_map(|moment| moment.after.as_ref()?.audio);
    let Some(heard) = heard else { return html! {} };
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let turns = [("the agent's", heard.agents_turn), ("the caller's", heard.callers_turn)];
    html! {
        p .silences {
            "Sent to the caller: " (seconds(heard.written)) ", "
            @if heard.gaps == 0 { "without a gap." } @else {
                (heard.gaps) @if heard.gaps == 1 { " gap" } @else { " gaps" } " over 40 ms, the longest "
                (heard.longest_gap.as_millis()) " ms."
            }
            @for (whose, silence) in turns {
                @if !silence.total.is_zero() {
                    " Silence on " (whose) " turn: " (seconds(silence.total)) " in all, the longest "
                    (seconds(silence.longest)) "."
                }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        p .legend .quiet {
            "A flat line is silence, waves are music, bars are ringing. A diamond is a moment, a triangle an event. "
            "What the log does not say is not drawn."
        }
    }
}

fn table(strips: &[Strip], scale: Scale) -> Markup {
    html! {
        details data-key="timeline-table" {
            summary { "The timeline as a table" }
            div .scroll {
                table {
                    thead { tr {
                        th scope="col" { "Strip" } th scope="col" { "What" } th scope="col" .number { "From" }
                        th scope="col" .number { "To" } th scope="col" { "Caused by" }
                    } }
                    tbody {
                        @for strip in strips {
                            @for span in &strip.spans {
                                tr {
                                    td { (strip.name) }
                                    td { (span.words) }
                                    td .number { (offset(span.from, scale.begin)) }
                                    td .number {
                                        @match span.to {
                                            Some(to) if to != span.from => (offset(to, scale.begin)),
                                            Some(_) => "",
                                            None => "goes on",
                                        }
                                    }
                                    td { (span.by) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the scale.

    use super::*;

    #[test]
    fn the_scale_has_few_round_steps() {
        for (millis, step, ticks) in [
            (41_000, 5_000, 9),
            (1_000, 100, 11),
            (3_700_000, 300_000, 13),
            (4_000_000, 600_000, 7),
            (12_000, 1_000, 13),
        ] {
            let scale = Scale { begin: At(0), end: At(i64::from(millis) * 1_000) };
            let found = scale.ticks();
            assert_eq!((found.get(1), found.len()), (Some(&step), ticks), "{millis}");
        }
        assert_eq!(Scale { begin: At(5), end: At(5) }.ticks(), [0]);
    }

    #[test]
    fn a_place_is_within_the_picture() {
        let scale = Scale { begin: At(1_000_000), end: At(3_000_000) };
        for (at, place) in
            [(0, 0.0), (1_000_000, 0.0), (1_500_000, 25.0), (3_000_000, 100.0), (9_000_000, 100.0)]
        {
            assert!((scale.place(At(at)) - place).abs() < 0.001, "{at}");
        }
    }
}
