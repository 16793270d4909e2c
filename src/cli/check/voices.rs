//! The ids of voices and of telephone numbers: whether each exists at ElevenLabs.

use futures_util::future::join_all;
use precall_call::{Route, VoiceId};
use precall_providers::elevenlabs::{PhoneNumber, ProviderError, ProviderErrorKind};

use super::finding::Judgement;
use super::world::World;
use crate::config::Telephony;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let Ok(client) = &world.elevenlabs else { return Vec::new() };
    let greeting = world.config.greeting.voice.as_ref().map(VoiceId::as_str);
    let fallback = world.config.call.fallback_voice.as_ref().map(VoiceId::as_str);
    let kinds = [
        ("GREETING_VOICE_ID", world.ids_of(greeting, |line| line.greeting_voice_id.as_ref())),
        ("FALLBACK_VOICE_ID", world.ids_of(fallback, |line| line.fallback_voice_id.as_ref())),
    ];
    let asked = kinds.iter().flat_map(|(name, ids)| ids.iter().map(move |id| (*name, id)));
    let found =
        asked.map(|(name, id)| async move { voice(name, id, client.voice(id, world.options.within).await) });
    let mut judgements = join_all(found).await;
    if judgements.is_empty() {
        judgements.push(Judgement::Good("none is configured: the agent's own voice speaks".to_owned()));
    }
    judgements
}

fn voice(name: &str, id: &str, found: Result<(), ProviderError>) -> Judgement {
    let what = format!("voice {id}");
    match found {
        Ok(()) => Judgement::Good(format!("{what} exists ({name})")),
        // The provider answers 400 `voice_not_found` or `invalid_uid` as well as 404.
        Err(error) if matches!(error.status, Some(400 | 404 | 422)) => Judgement::Wrong(format!(
            "{what} does not exist ({error}): correct {name}, or the line that names it"
        )),
        Err(error) => Judgement::refused(&error, &what, &format!("correct {name}")),
    }
}

pub(super) async fn phone_numbers(world: &World<'_>) -> Vec<Judgement> {
    let Ok(client) = &world.elevenlabs else { return Vec::new() };
    if world.config.call.route != Route::Callback {
        return Vec::new();
    }
    let default = world.config.elevenlabs.phone_number_id.as_deref();
    let ids = world.ids_of(default, |line| line.phone_number_id.as_ref());
    let asked = ids.iter().map(|id| async move {
        let found = client.phone_number(id, world.options.within).await;
        phone_number(id, found, world.config.elevenlabs.telephony)
    });
    join_all(asked).await
}

fn phone_number(id: &str, found: Result<PhoneNumber, ProviderError>, telephony: Telephony) -> Judgement {
    let what = format!("phone number {id}");
    let ours = match telephony {
        Telephony::SipTrunk => "sip_trunk",
        Telephony::Twilio => "twilio",
    };
    match found {
        Ok(PhoneNumber { provider: Some(provider) }) if provider != ours => Judgement::Wrong(format!(
            "{what} is connected by {provider}, and ELEVENLABS_TELEPHONY is {ours}: set it to {provider}"
        )),
        Ok(_) => Judgement::Good(format!("{what} exists")),
        Err(error)
            if matches!(error.status, Some(400 | 404 | 422))
                && error.kind != ProviderErrorKind::Unauthorised =>
        {
            Judgement::Wrong(format!("{what} does not exist ({error}): correct ELEVENLABS_PHONE_NUMBER_ID"))
        }
        Err(error) => Judgement::refused(&error, &what, "correct ELEVENLABS_PHONE_NUMBER_ID"),
    }
}
