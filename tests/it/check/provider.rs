//! Broken set-ups at ElevenLabs: account, agents, ids, webhooks, clock.

use precall_simulators::elevenlabs::{Account, Fault, NumberProvider, PhoneNumber};
use serde_json::{Value, json};

use super::*;

#[actix::test]
async fn a_broken_account_is_named() {
    let lacks =
        json!({ "status": "missing_permissions", "message": "The API key lacks the permission user_read" });
    let cases = [
        (
            refused(SUBSCRIPTION, 401, json!({ "status": "invalid_api_key", "message": "Invalid API key" })),
            wrong("a wrong key", "ElevenLabs account", "correct ELEVENLABS_API_KEY"),
        ),
        (
            refused(SUBSCRIPTION, 400, json!({ "code": "invalid_api_key", "message": "malformed key" })),
            wrong("a key of the wrong shape", "ElevenLabs account", "correct ELEVENLABS_API_KEY"),
        ),
        (
            refused(SUBSCRIPTION, 401, lacks.clone()),
            warned("a key with a scope", "ElevenLabs account", "lacks the permission user_read"),
        ),
        (
            refused("/v1/convai/agents/", 401, lacks),
            warned("a key that may not read agents", "ElevenLabs agent", "lacks a permission"),
        ),
        (
            Fault { hang: true, ..fault(SUBSCRIPTION) },
            wrong("a slow provider", "ElevenLabs account", "no valid answer from ElevenLabs"),
        ),
        (
            Fault { status: Some(500), ..fault(SUBSCRIPTION) },
            wrong("a failing provider", "ElevenLabs account", "status 500"),
        ),
    ];
    for (fault, case) in cases {
        let setup = Setup::sound().await;
        setup.provider.set_faults(vec![fault]);
        holds(setup, case).await;
    }
    let accounts = [
        (
            account_with("/can_use_instant_voice_cloning", json!(false)),
            wrong("a plan without cloning", "ElevenLabs account", "does not include instant voice cloning"),
        ),
        (
            account_with("/voice_slots", json!(0)),
            warned("no slots", "ElevenLabs account", "no voice slot is free (0 of 0)"),
        ),
        (
            account_with("/character_limit", json!(0)),
            warned("no credits", "ElevenLabs account", "credits of the plan are used up"),
        ),
        (
            account_with("/status", json!("past_due")),
            warned("an unpaid plan", "ElevenLabs account", "past_due"),
        ),
        (
            account_with("/agents", json!(["another_agent"])),
            wrong("an unknown agent", "ElevenLabs agent", "correct ELEVENLABS_AGENT_ID"),
        ),
        (
            account_with("/voices", json!([FALLBACK_VOICE])),
            wrong("a deleted greeting voice", "ElevenLabs voices", "correct GREETING_VOICE_ID"),
        ),
        (
            account_with("/voices", json!([GREETING_VOICE])),
            wrong("a deleted fallback voice", "ElevenLabs voices", "correct FALLBACK_VOICE_ID"),
        ),
        (
            account_with("/webhooks/0/is_disabled", json!(true)),
            wrong("a disabled webhook", "ElevenLabs webhooks", "is disabled"),
        ),
        (
            account_with("/webhooks/0/is_auto_disabled", json!(true)),
            wrong("a webhook that failed", "ElevenLabs webhooks", "has switched off the post-call webhook"),
        ),
        (
            account_with("/webhooks", json!([])),
            wrong("a deleted webhook", "ElevenLabs webhooks", "does not exist any more"),
        ),
        (
            account_with("/settings/events", json!(["audio", "call_initiation_failure"])),
            wrong("no transcripts", "ElevenLabs webhooks", "does not get the event transcript"),
        ),
        (
            account_with("/settings/post_call_webhook_id", Value::Null),
            warned("no webhook", "ElevenLabs webhooks", "no post-call webhook is set"),
        ),
        (
            account_with("/webhooks/0/webhook_url", json!("https://calls.example/elsewhere")),
            warned("a webhook to another path", "ElevenLabs webhooks", "goes to the path /elsewhere"),
        ),
    ];
    for (account, case) in accounts {
        let setup = Setup::sound().await;
        setup.provider.set_account(account);
        holds(setup, case).await;
    }
}

#[actix::test]
async fn a_broken_agent_is_named() {
    // Sound is 8 kHz on the telephone; the provider's default is converted.
    let agents = [
        (
            without("tts.voice_id"),
            wrong("no voice override", "ElevenLabs agent", "override tts.voice_id is off"),
        ),
        (
            agent(|agent| agent.agent_output_audio_format = "pcm_16000".parse().unwrap()),
            warned("an odd format", "ElevenLabs agent", "is converted on every call"),
        ),
        (
            agent(|agent| agent.client_events.retain(|event| event != "audio")),
            wrong("no audio", "ElevenLabs agent", "client event audio is off"),
        ),
    ];
    for (agent, case) in agents {
        let setup = Setup::sound().await;
        setup.provider.set_agent(agent);
        holds(setup, case).await;
    }
    // A callback speaks the greeting as the first message.
    let mut setup = Setup::sound().await;
    setup.set("CALL_ROUTE", "callback");
    setup.provider.set_agent(without("agent.first_message"));
    holds(setup, wrong("no first message", "ElevenLabs agent", "override agent.first_message is off")).await;
    // A line with a language tells it to the agent.
    let setup = Setup::sound().await;
    setup.execute("insert into lines (number, language) values ('+12025550177', 'de')", &[]).await;
    setup.provider.set_agent(without("agent.language"));
    holds(setup, wrong("no language", "ElevenLabs agent", "override agent.language is off")).await;
    // The provider's own formats, which precall cannot convert.
    let setup = Setup::sound().await;
    let odd = json!({ "agent_id": AGENT_ID, "conversation_config": {
        "tts": { "agent_output_audio_format": "mp3_44100" } }, "platform_settings": {} });
    setup.provider.set_faults(vec![Fault { body: Some(odd), ..fault("/v1/convai/agents/") }]);
    holds(
        setup,
        wrong("a format that cannot be converted", "ElevenLabs agent", "mp3_44100 cannot be converted"),
    )
    .await;
    // The agent of a line.
    let setup = Setup::sound().await;
    setup.execute("insert into lines (number, agent_id) values ('+12025550177', 'gone')", &[]).await;
    holds(setup, wrong("an unknown agent of a line", "ElevenLabs agent", "agent gone does not exist")).await;
    let elsewhere = json!({ "signed_url": "wss://elsewhere.example/v1/convai/conversation?token=secret" });
    let setup = Setup::sound().await;
    setup.provider.set_faults(vec![Fault { body: Some(elsewhere), ..fault(SIGNED_URL) }]);
    holds(setup, wrong("another host", "signed URL", "add elsewhere.example to AGENT_HOSTS")).await;
}

#[actix::test]
async fn a_broken_callback_is_named() {
    let of_twilio = PhoneNumber { provider: NumberProvider::Twilio, ..PhoneNumber::named(NUMBER) };
    let numbers = [
        (vec![], wrong("an unknown number", "ElevenLabs phone number", "correct ELEVENLABS_PHONE_NUMBER_ID")),
        (vec![of_twilio], wrong("another carrier", "ElevenLabs phone number", "set it to twilio")),
    ];
    for (numbers, case) in numbers {
        let mut setup = Setup::sound().await;
        setup.set("CALL_ROUTE", "callback");
        setup.provider.set_account(Account { phone_numbers: Some(numbers), ..account() });
        holds(setup, case).await;
    }
    let mut setup = Setup::sound().await;
    setup.set("CALL_ROUTE", "callback");
    setup.set("CALLBACK_COUNTRIES", "");
    holds(setup, warned("no countries", "countries", "CALLBACK_COUNTRIES is not set")).await;
    let mut setup = Setup::sound().await;
    setup.set("CALL_ROUTE", "callback");
    setup.set("CALLBACK_COUNTRIES", "");
    setup.set("DEFAULT_REGION", "");
    holds(setup, warned("no country at all", "countries", "no country is set")).await;
}

#[actix::test]
async fn a_wrong_clock_is_named() {
    let setup = Setup::sound().await;
    let headers = [("date".to_owned(), "Sat, 01 Jan 2000 00:00:00 GMT".to_owned())].into();
    let body = Some(json!({ "can_use_instant_voice_cloning": true }));
    setup.provider.set_faults(vec![Fault { body, headers, ..fault(SUBSCRIPTION) }]);
    holds(setup, wrong("a clock that is off", "clock", "ahead of the clock of ElevenLabs")).await;
}
