//! Endpoints over the workspace: its subscription, its webhooks, its telephone numbers, the settings of all agents.

use serde_json::{Value, json};

use super::answer::Answer;
use super::context::Context;
use super::request::Request;

/// `GET /v1/user/subscription`.
pub(super) fn subscription(context: &Context) -> Answer {
    let world = context.world();
    let account = &world.account;
    Answer::ok(json!({
        "tier": account.tier,
        "character_count": account.character_count.unwrap_or(world.characters),
        "character_limit": account.character_limit,
        "max_character_limit_extension": null,
        "max_credit_limit_extension": "unlimited",
        "can_extend_character_limit": false,
        "allowed_to_extend_character_limit": false,
        "next_character_count_reset_unix": null,
        "voice_slots_used": world.voices.used(),
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "voice_limit": world.voices.slots(),
        "max_voice_add_edits": account.max_voice_add_edits,
        "voice_add_edit_counter": world.voices.created(),
        "professional_voice_limit": 1,
        "can_extend_voice_limit": false,
        "can_use_instant_voice_cloning": account.can_use_instant_voice_cloning,
        "can_use_professional_voice_cloning": false,
        "currency": "usd",
        "current_overage": {"amount": "0", "currency": "usd"},
        "status": account.status,
        "billing_period": "monthly_period",
        "character_refresh_period": "monthly_period",
        "next_invoice": null,
        "open_invoices": [],
        "has_open_invoices": false,
    }))
}

/// `GET /v1/workspace/webhooks`.
pub(super) fn webhooks(context: &Context) -> Answer {
    let world = context.world();
    let webhooks = world.account.webhooks(world.webhook.as_ref());
    let shown: Vec<Value> = webhooks.iter().map(super::account::WorkspaceWebhook::json).collect();
    Answer::ok(json!({ "webhooks": shown }))
}

/// `GET /v1/convai/settings`.
pub(super) fn settings(context: &Context) -> Answer {
    let world = context.world();
    Answer::ok(world.account.settings(world.webhook.as_ref(), world.initiation.as_ref()).json())
}

/// `GET /v1/convai/phone-numbers/{phone_number_id}`.
pub(super) fn phone_number(context: &Context, id: &str) -> Answer {
    let found = context.world().account.phone_number(id);
    found.map_or_else(|| Answer::phone_number_not_found(id), |number| Answer::ok(number.json()))
}

/// `GET /v1/convai/phone-numbers`: a list of those that were told. Ids that exist by default are not listed.
pub(super) fn phone_numbers(context: &Context, request: &Request) -> Answer {
    let world = context.world();
    let numbers = world.account.phone_numbers.iter().flatten();
    let wanted = request.param("agent_id");
    let of_agent = numbers.filter(|number| wanted.is_none() || number.agent_id.as_deref() == wanted);
    Answer::ok(Value::Array(of_agent.map(super::account::PhoneNumber::json).collect()))
}
