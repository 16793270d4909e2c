//! The account at ElevenLabs: key, plan, voice cloning, slots.

use precall_providers::elevenlabs::Subscription;

use super::finding::Judgement;
use super::world::World;

pub(super) fn look(world: &World<'_>) -> Vec<Judgement> {
    match (&world.elevenlabs, &world.account) {
        (Err(why), _) => vec![Judgement::Wrong(why.clone())],
        (Ok(_), Some(Ok(account))) => judge(account),
        (Ok(_), Some(Err(error))) => {
            vec![Judgement::refused(error, "the subscription", "correct ELEVENLABS_API_BASE")]
        }
        (Ok(_), None) => Vec::new(),
    }
}

fn judge(account: &Subscription) -> Vec<Judgement> {
    let of = |used: Option<i64>, all: Option<i64>| match (used, all) {
        (Some(used), Some(all)) => format!("{used} of {all}"),
        _ => "unknown".to_owned(),
    };
    let slots = of(account.voice_slots_used, account.voice_limit);
    let characters = of(account.character_count, account.character_limit);
    let mut judgements = vec![Judgement::Good(format!(
        "the API answers and accepts the key; voice slots used {slots}, characters used {characters}"
    ))];
    judgements.push(match account.can_clone {
        Some(true) => Judgement::Good("the plan includes voice cloning".to_owned()),
        Some(false) => Judgement::Wrong(
            "the plan does not include instant voice cloning: every caller hears the fallback voice. Change the plan \
             at ElevenLabs"
                .to_owned(),
        ),
        None => Judgement::Note("ElevenLabs does not say whether the plan includes voice cloning".to_owned()),
    });
    if let (Some(used), Some(limit)) = (account.voice_slots_used, account.voice_limit)
        && used >= limit
    {
        judgements.push(Judgement::Note(format!(
            "no voice slot is free ({slots}): a new clone can only replace a voice of precall that no call uses. \
             Delete other voices at ElevenLabs, or get more slots"
        )));
    }
    if let (Some(used), Some(limit)) = (account.character_count, account.character_limit)
        && used >= limit
    {
        judgements.push(Judgement::Note(format!(
            "the credits of the plan are used up ({characters}): ElevenLabs may refuse calls and clones"
        )));
    }
    if let Some(status) = account.status.as_deref()
        && !matches!(status, "active" | "trialing" | "free")
    {
        judgements.push(Judgement::Note(format!("the subscription is {status}: look at the invoices")));
    }
    judgements
}
