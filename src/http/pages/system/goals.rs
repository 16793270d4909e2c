//! Times that have a goal, each as a histogram with the goal as a line.

use maud::{Markup, html};
use precall_actors::api::{Distribution, TimeFigures};

use crate::http::pages::parts;

/// Height of the bars, and the width of one with its gap.
const HEIGHT: u64 = 72;
const STEP: usize = 36;

/// A time with its goal.
struct Goal<'a> {
    name: &'static str,
    what: &'static str,
    seconds: f64,
    measured: &'a Distribution,
}

/// All times with a goal.
pub(super) fn goals(times: &TimeFigures) -> Markup {
    let all = [
        Goal {
            name: "Time to greeting",
            what: "from the offer of a call until its greeting plays",
            seconds: 0.1,
            measured: &times.greeting,
        },
        Goal {
            name: "Time to first sound",
            what: "from the leg's connection to the first sound in it",
            seconds: 0.1,
            measured: &times.first_sound,
        },
        Goal {
            name: "Clone time",
            what: "how long calls waited for a voice that was cloned",
            seconds: 35.0,
            measured: &times.cloned,
        },
        Goal {
            name: "Handoff gap",
            what: "from the end of the greeting until the caller hears an agent",
            seconds: 35.0,
            measured: &times.hold,
        },
    ];
    html! {
        section aria-labelledby="goals" {
            h2 #goals { "Times against their goals" }
            div .goals { @for goal in all { (drawn(&goal)) } }
            p .quiet { "Since the start of the process." }
        }
    }
}

fn drawn(goal: &Goal<'_>) -> Markup {
    let total = goal.measured.total();
    let limit = parts::seconds(goal.seconds);
    html! {
        figure .goal {
            figcaption {
                b { (goal.name) } ", goal " (limit)
                br;
                span .quiet { (goal.what) }
            }
            @if total == 0 {
                p .empty { "Nothing was measured yet. The first call fills this in." }
            } @else {
                (bars(goal))
                p {
                    (share(goal.measured, goal.seconds)) " % of " (total) " within " (limit)
                    ": p50 " (quantile(goal.measured, 0.5)) ", p95 " (quantile(goal.measured, 0.95))
                    ", p99 " (quantile(goal.measured, 0.99))
                }
            }
        }
    }
}

/// The bucket in which a part of all is, in words.
pub(super) fn quantile(measured: &Distribution, part: f64) -> String {
    match (measured.quantile(part), measured.bounds.last()) {
        (Some(bound), _) => format!("≤ {}", parts::seconds(bound)),
        (None, Some(last)) if measured.total() > 0 => format!("> {}", parts::seconds(*last)),
        (None, _) => "-".to_owned(),
    }
}

/// How many of a hundred were within the goal, rounded down.
fn share(measured: &Distribution, seconds: f64) -> u64 {
    let within = measured.bounds.iter().zip(&measured.counts).filter(|(bound, _)| **bound <= seconds);
    let within = within.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    within.saturating_mul(100).checked_div(measured.total()).unwrap_or(0)
}

fn bars(goal: &Goal<'_>) -> Markup {
    let (bounds, counts) = (goal.measured.bounds, &goal.measured.counts);
    let highest = counts.iter().max().copied().unwrap_or(0).max(1);
    let width = counts.len().saturating_mul(STEP);
    let line = bounds.iter().filter(|bound| **bound <= goal.seconds).count().saturating_mul(STEP);
    let label =
        |number: usize| bounds.get(number).map_or_else(|| "more".to_owned(), |bound| parts::seconds(*bound));
    html! {
        svg viewBox={ "0 0 " (width) " " (HEIGHT.saturating_add(28)) } role="img"
            aria-label={ (goal.name) ": " (share(goal.measured, goal.seconds)) " percent within the goal" } {
            @for (number, count) in counts.iter().enumerate() {
                @let height = count.saturating_mul(HEIGHT).checked_div(highest).unwrap_or(0).max(u64::from(*count > 0));
                @let left = number.saturating_mul(STEP);
                g {
                    title { (count) " up to " (label(number)) }
                    rect .bar .late[left >= line] x=(left.saturating_add(2))
                        y=(HEIGHT.saturating_sub(height).saturating_add(8))
                        width=(STEP.saturating_sub(4)) height=(height) {}
                    text .tick .odd[number % 2 == 1] x=(left.saturating_add(STEP / 2))
                        y=(HEIGHT.saturating_add(20)) text-anchor="middle" {
                        (label(number).replace(' ', ""))
                    }
                }
            }
            line .goal-line x1=(line) x2=(line) y1="0" y2=(HEIGHT.saturating_add(8)) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(counts: &[u64]) -> Distribution {
        Distribution { bounds: &[0.05, 0.1, 0.5], counts: counts.to_vec() }
    }

    #[test]
    fn the_goal_stands_behind_its_bucket() {
        let goal = Goal { name: "A", what: "b", seconds: 0.1, measured: &measured(&[4, 3, 2, 1]) };
        let shown = drawn(&goal).into_string();
        assert!(
            shown.contains("70 % of 10 within 100 ms: p50 ≤ 100 ms, p95 &gt; 500 ms")
                || shown.contains("70 % of 10 within 100 ms: p50 ≤ 100 ms, p95 > 500 ms"),
            "{shown}"
        );
        assert!(shown.contains("x1=\"72\" x2=\"72\""), "{shown}");
        assert_eq!(shown.matches("bar late").count(), 2, "{shown}");
    }

    #[test]
    fn nothing_measured_says_how_it_fills() {
        let goal = Goal { name: "A", what: "b", seconds: 0.1, measured: &Distribution::default() };
        assert!(drawn(&goal).into_string().contains("Nothing was measured yet"));
        assert_eq!(quantile(&Distribution::default(), 0.5), "-");
    }
}
