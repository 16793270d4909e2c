//! The histogram above the history: how calls ended, by time. A click narrows the list to one bar.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use precall_store::reads::call_histogram::{Bin, Span};
use precall_store::reads::call_list::CallFilter;

use super::asked::Asked;
use crate::http::pages::parts;

/// Width of a bar in seconds, and the longest range that has it.
const WIDTHS: [(i64, i64); 4] = [(60, 3_600), (300, 14_400), (3_600, 4 * 86_400), (86_400, 92 * 86_400)];
/// The range without `since`.
const DEFAULT_SECONDS: i64 = 86_400;
/// The longest range that is counted.
const LONGEST_SECONDS: i64 = 92 * 86_400;
/// Height of the drawing.
const HEIGHT: i64 = 96;
/// Width of a bar in the drawing, with its gap.
const STEP: usize = 10;

/// The range of the histogram: that of the filter, at most 92 days; the last 24 hours without a filter. Its bars begin
/// at whole minutes, hours or days in UTC. None for an empty range.
pub(super) fn span(filter: &CallFilter, now: Timestamp) -> Option<Span> {
    let until = filter.until.unwrap_or(now).min(now);
    let back = |seconds| until.checked_sub(SignedDuration::from_secs(seconds)).ok();
    let since = filter.since.or_else(|| back(DEFAULT_SECONDS))?;
    let since = back(LONGEST_SECONDS).map_or(since, |longest| since.max(longest));
    let seconds = until.as_second().saturating_sub(since.as_second());
    if since >= until {
        return None;
    }
    let (width, _) = WIDTHS.into_iter().find(|(_, longest)| seconds <= *longest).unwrap_or((86_400, 0));
    let first = since.as_second().div_euclid(width).saturating_mul(width);
    Some(Span { since: Timestamp::from_second(first).ok()?, until, width_seconds: width })
}

/// One bar with its time.
struct Bar {
    since: Timestamp,
    until: Timestamp,
    bin: Bin,
}

/// Every bar of the span, those without calls as well.
fn bars(span: &Span, bins: &[Bin]) -> Vec<Bar> {
    let mut all = Vec::new();
    let mut since = span.since;
    while since < span.until {
        let Ok(until) = since.checked_add(SignedDuration::from_secs(span.width_seconds)) else { break };
        let bin = bins.iter().find(|bin| bin.since == since).copied();
        all.push(Bar { since, until, bin: bin.unwrap_or_default() });
        since = until;
    }
    all
}

fn sum(bin: &Bin) -> i64 {
    [bin.completed, bin.to_person, bin.failed, bin.live].into_iter().fold(0, i64::saturating_add)
}

/// The drawing, its legend, and the same figures as a table.
pub(super) fn drawing(asked: &Asked, span: &Span, bins: &[Bin]) -> Markup {
    let bars = bars(span, bins);
    let highest = bars.iter().map(|bar| sum(&bar.bin)).max().unwrap_or(0);
    let total = |of: fn(&Bin) -> i64| bars.iter().map(|bar| of(&bar.bin)).fold(0, i64::saturating_add);
    let width = bars.len().saturating_mul(STEP);
    let link = |bar: &Bar| {
        let (since, until) = (bar.since.to_string(), bar.until.to_string());
        asked.link("/calls", &[("since", Some(&since)), ("until", Some(&until))])
    };
    let legend = [
        ("completed", total(|bin| bin.completed), ("status", "completed")),
        ("to a person", total(|bin| bin.to_person), ("told", "person")),
        ("failed", total(|bin| bin.failed), ("status", "failed")),
    ];
    html! {
        figure .histogram {
            figcaption {
                "Calls by " (unit(span.width_seconds)) ", "
                (parts::time(span.since)) " to " (parts::time(span.until)) ". "
                @for (words, count, (filter, value)) in legend {
                    a class={ "legend h-" (value) } href=(asked.link("/calls", &[(filter, Some(value))])) {
                        (count) " " (words)
                    }
                    " "
                }
                span .legend .h-live { (total(|bin| bin.live)) " live" }
                span .quiet { " (at most " (highest) " in a bar)" }
            }
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
                pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" {
                    rect .h-person width="4" height="2" {}
                }
                @for (number, bar) in bars.iter().enumerate() {
                    a href=(link(bar)) tabindex="-1" {
                        title { (bar_words(bar)) }
                        rect .whole x=(number.saturating_mul(STEP)) y="0" width=(STEP) height=(HEIGHT) {}
                        (stack(number.saturating_mul(STEP), &bar.bin, highest))
                    }
                }
            }
            p .ends .quiet aria-hidden="true" { span { (label(span.since)) } span { (label(span.until)) } }
            details {
                summary { "The same as a table" }
                div .scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "From" }
                                @for name in ["Completed", "To a person", "Failed", "Live"] {
                                    th scope="col" .number { (name) }
                                }
                            }
                        }
                        tbody {
                            @for bar in bars.iter().filter(|bar| sum(&bar.bin) > 0) {
                                tr {
                                    td { a href=(link(bar)) { (parts::time(bar.since)) } }
                                    @for count in [bar.bin.completed, bar.bin.to_person, bar.bin.failed, bar.bin.live] {
                                        td .number { (count) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The parts of a bar, the failed ones at the bottom, where their heights can be compared.
fn stack(left: usize, bin: &Bin, highest: i64) -> Markup {
    let parts = [
        ("failed", bin.failed),
        ("hatched", bin.to_person),
        ("completed", bin.completed),
        ("live", bin.live),
    ];
    let mut top = 0_i64;
    let placed = parts.map(|(class, count)| {
        let from = scaled(top, highest);
        top = top.saturating_add(count);
        // What is there is seen, however little it is.
        (class, count, from, scaled(top, highest).saturating_sub(from).max(1))
    });
    html! {
        @for (class, count, from, height) in placed {
            @if count > 0 {
                rect class={ "h-" (class) } fill=[(class == "hatched").then_some("url(#hatch)")]
                    x=(left.saturating_add(1)) y=(HEIGHT.saturating_sub(from).saturating_sub(height))
                    width=(STEP.saturating_sub(2)) height=(height) {}
            }
        }
    }
}

fn scaled(count: i64, highest: i64) -> i64 {
    count.saturating_mul(HEIGHT).checked_div(highest).unwrap_or(0)
}

fn bar_words(bar: &Bar) -> String {
    let Bin { completed, to_person, failed, live, .. } = bar.bin;
    let live = if live > 0 { format!(", {live} live") } else { String::new() };
    format!("{}: {completed} completed, {to_person} to a person, {failed} failed{live}", label(bar.since))
}

fn label(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn unit(width_seconds: i64) -> &'static str {
    match width_seconds {
        60 => "minute",
        300 => "5 minutes",
        3_600 => "hour",
        _ => "day",
    }
}

#[cfg(test)]
mod tests;
