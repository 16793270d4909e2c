//! Two programs on one API client of 3CX: each new token revokes the other's.

use std::time::Duration;

use precall_providers::threecx::rivalry::Rivalry;

/// How soon a program notices that its token was revoked.
const NOTICED_AFTER: Duration = Duration::from_millis(300);
const HOURS: u64 = 6;

/// How many tokens both request within six hours, if each waits as `pause` says after a revocation.
fn tokens(mut pause: impl FnMut(usize, Duration) -> Duration) -> u32 {
    let (mut now, mut holder, mut issued) = (Duration::ZERO, 0, 0);
    // When each wants its next token.
    let mut wants = [Some(Duration::ZERO), Some(Duration::from_secs(1))];
    while now < Duration::from_secs(HOURS * 3600) {
        let next = (0..2).filter_map(|who| wants[who].map(|at| (at, who))).min();
        let Some((at, who)) = next else { break };
        now = at;
        issued += 1;
        wants[who] = None;
        let other = 1 - who;
        if holder == other && wants[other].is_none() {
            let noticed = now + NOTICED_AFTER;
            wants[other] = Some(noticed + pause(other, noticed));
        }
        holder = who;
    }
    issued
}

#[test]
fn two_programs_on_one_client_do_not_revoke_each_other_for_ever() {
    let at_once = tokens(|_, _| Duration::ZERO);
    let mut rivalries = [Rivalry::default(), Rivalry::default()];
    let patient = tokens(|who, now| rivalries[who].revoked(now).unwrap_or_default());
    println!("tokens in {HOURS} hours: {at_once} if nobody waits, {patient} with the pauses");
    assert!(at_once > 10_000 && patient < 200, "{at_once} {patient}");
}
