//! Tests of the list of problems.

use super::*;

fn at(seconds: i64) -> At {
    At(seconds * 1_000_000)
}

fn states() -> States<'static> {
    States {
        troubles: Troubles::default(),
        obstacle: None,
        database: Vec::new(),
        spool: Vec::new(),
        quarantined: 0,
        host: Vec::new(),
        replica: None,
        alerts: Vec::new(),
        config: None,
        canary: None,
        pbx: None,
        prompts: &[],
        agents: Vec::new(),
        bypasses: Vec::new(),
    }
}

#[test]
fn nothing_is_wrong_with_a_sound_engine() {
    assert_eq!(all(states(), Vec::new(), at(9)), []);
}

#[test]
fn each_state_is_a_problem_with_its_area_its_time_and_what_to_do() {
    let troubles = Troubles {
        database: Some((at(1), "connection refused".to_owned())),
        spool: Some((at(2), "no space left".to_owned())),
        quarantined: Some(at(3)),
    };
    let pbx = PbxHealth { open: Some(false), legs: 0, trouble: Some((at(4), "3CX answers 403".to_owned())) };
    let found = States {
        troubles,
        database: vec![(at(5), "the encoding is SQL_ASCII".to_owned())],
        spool: vec![(at(8), "its disk is too small".to_owned())],
        quarantined: 2,
        host: vec![(at(8), "the host's clock is 9 s ahead of precall's own clock".to_owned())],
        pbx: Some(&pbx),
        prompts: &[(at(6), "line default: the notice is missing".to_owned())],
        agents: vec![(at(7), "override tts.voice_id is off".to_owned())],
        bypasses: Vec::new(),
        ..states()
    };
    let all = all(found, Vec::new(), at(9));
    let shown: Vec<(&str, At)> = all.iter().map(|problem| (problem.area, problem.since)).collect();
    let storage = [1, 5, 2, 8, 3].map(|seconds| ("storage", at(seconds)));
    let others = [("host", at(8)), ("threecx", at(4)), ("prompts", at(6)), ("agent", at(7))];
    assert_eq!(shown, [storage.as_slice(), others.as_slice()].concat());
    assert!(all.iter().all(|problem| !problem.words.is_empty() && !problem.remedy.is_empty()));
    let of_clock = all.iter().find(|problem| problem.area == "host").map(|problem| problem.remedy);
    assert!(of_clock.is_some_and(|remedy| remedy.contains("restart precall")), "{of_clock:?}");
}

#[test]
fn an_obstacle_replaces_the_failed_contact_that_it_follows_from() {
    let troubles =
        Troubles { database: Some((at(1), "connection refused".to_owned())), ..Troubles::default() };
    let obstacle = Some((at(2), "pgbouncer pools by transaction".to_owned()));
    let all = all(States { troubles, obstacle, ..states() }, Vec::new(), at(9));
    let words: Vec<&str> = all.iter().map(|problem| problem.words.as_str()).collect();
    assert_eq!(words, ["database: pgbouncer pools by transaction"]);
}
