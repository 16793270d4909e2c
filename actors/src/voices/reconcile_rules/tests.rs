//! Tests of the reconcile rules.

use super::*;

const NOW: At = At(10_000_000_000);

fn job(n: u128) -> CloneJobId {
    CloneJobId(n)
}

fn listed(n: u128, installation: &str) -> Listed {
    let name = format!("precall-{installation}-{}", Uuid::from_u128(n));
    Listed { voice: VoiceId::new(format!("v{n}")), name, created: Some(At(0)) }
}

fn known(numbers: &[u128]) -> HashMap<VoiceId, CloneJobId> {
    numbers.iter().map(|n| (VoiceId::new(format!("v{n}")), job(*n))).collect()
}

fn compare(listed: &[Listed], known: &HashMap<VoiceId, CloneJobId>, unfinished: &[u128]) -> Differences {
    let unfinished = &unfinished.iter().map(|n| job(*n)).collect();
    let (installation, completeness) = ("shop", Completeness::Complete);
    differences(&Comparison { installation, listed, completeness, known, unfinished, now: NOW })
}

fn names(voices: &[VoiceId]) -> Vec<&str> {
    voices.iter().map(VoiceId::as_str).collect()
}

#[test]
fn strays_are_settled_voices_of_this_installation_only() {
    let young = Listed { created: Some(NOW), ..listed(5, "shop") };
    let undated = Listed { created: None, ..listed(6, "shop") };
    let hand_made = Listed { name: "precall-shop-Anna".to_owned(), ..listed(7, "shop") };
    let all = [
        listed(1, "shop"),
        listed(2, "shop"),
        listed(3, "shop-north"),
        listed(4, "sho"),
        young,
        undated,
        hand_made,
        listed(8, "shop"),
    ];
    let found = compare(&all, &known(&[1]), &[8]);
    assert_eq!(names(&found.strays), ["v2", "v6"]);
    assert_eq!((found.ours, found.known, found.gone.len()), (5, 1, 0));
}

#[test]
fn voices_missing_from_a_complete_list_are_gone() {
    let found = compare(&[listed(1, "shop")], &known(&[1, 2]), &[]);
    assert_eq!(names(&found.gone), ["v2"]);
    let (known, unfinished) = (known(&[1, 2]), HashSet::new());
    let input = Comparison {
        installation: "shop",
        listed: &[],
        completeness: Completeness::Partial,
        known: &known,
        unfinished: &unfinished,
        now: NOW,
    };
    assert_eq!(differences(&input).gone, []);
}

#[test]
fn many_changes_or_a_new_database_need_approval() {
    let strays = |n: u128| Differences {
        ours: 100,
        known: 100,
        strays: (0..n).map(|n| VoiceId::new(n.to_string())).collect(),
        gone: Vec::new(),
    };
    let unasked = |found: &Differences, origin| found.objection(origin, Approval::NotAsked).is_none();
    assert!(unasked(&strays(10), DatabaseOrigin::Known));
    assert!(!unasked(&strays(11), DatabaseOrigin::Known), "more than ten");
    assert!(
        !unasked(&Differences { ours: 4, known: 4, ..strays(1) }, DatabaseOrigin::Known),
        "more than a fifth"
    );
    assert!(unasked(&Differences { ours: 5, known: 5, ..strays(1) }, DatabaseOrigin::Known));
    assert!(!unasked(&strays(1), DatabaseOrigin::New));
    assert!(unasked(&strays(0), DatabaseOrigin::New), "nothing to approve");
    assert_eq!(strays(99).objection(DatabaseOrigin::New, Approval::Given), None);
}
