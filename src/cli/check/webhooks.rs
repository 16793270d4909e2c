//! The webhooks of ElevenLabs: whether reports are posted to precall, and whether the initiation webhook is set.

use precall_call::Route;
use precall_providers::elevenlabs::{AgentWebhooks, ProviderError, WorkspaceWebhook};
use url::Url;

use super::finding::Judgement;
use super::world::World;

const REPORTS: &str = "/webhook/elevenlabs/postcall";
const INITIATION: &str = "/webhook/elevenlabs/initiation";
const LATE: &str = "reports come only when precall fetches them (POSTCALL_WAIT_SECONDS)";

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let Ok(client) = &world.elevenlabs else { return Vec::new() };
    let within = world.options.within;
    let (list, settings) =
        futures_util::future::join(client.webhooks(within), client.agent_webhooks(within)).await;
    let own = world.agents.iter().filter_map(|(_, agent)| agent.as_ref().ok());
    let own: Vec<AgentWebhooks> = own.map(|agent| agent.webhooks.clone()).collect();
    judge(&list, &settings, &own, world.config.call.route)
}

fn judge(
    list: &Result<Vec<WorkspaceWebhook>, ProviderError>,
    settings: &Result<AgentWebhooks, ProviderError>,
    of_agents: &[AgentWebhooks],
    route: Route,
) -> Vec<Judgement> {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return vec![not_shown(error, "the settings of agents")],
    };
    // An agent's own webhook replaces that of the workspace.
    let mut reports: Vec<&AgentWebhooks> =
        of_agents.iter().map(|own| if own.post_call.is_some() { own } else { settings }).collect();
    if reports.is_empty() {
        reports.push(settings);
    }
    reports.dedup();
    let mut judgements: Vec<Judgement> = reports.into_iter().flat_map(|of| post_call(of, list)).collect();
    if route == Route::Transfer {
        let url = of_agents.iter().find_map(|own| own.initiation_url.as_deref());
        judgements.push(initiation(url.or(settings.initiation_url.as_deref())));
    }
    judgements
}

fn not_shown(error: &ProviderError, what: &str) -> Judgement {
    match Judgement::refused(error, what, "its address may be another one in this region") {
        // Calls work without this look.
        Judgement::Wrong(text) if error.status == Some(404) => Judgement::Note(text),
        other => other,
    }
}

fn post_call(
    settings: &AgentWebhooks,
    list: &Result<Vec<WorkspaceWebhook>, ProviderError>,
) -> Vec<Judgement> {
    let Some(id) = &settings.post_call else {
        return vec![Judgement::Note(format!(
            "no post-call webhook is set: {LATE}. Set one to https://YOUR-HOST{REPORTS}"
        ))];
    };
    let mut judgements = Vec::new();
    match list {
        Err(error) => judgements.push(not_shown(error, "the webhooks of the workspace")),
        Ok(list) => match list.iter().find(|webhook| webhook.id == *id) {
            Some(webhook) => judgements.extend(webhook_of(webhook)),
            None => judgements.push(Judgement::Wrong(format!(
                "the post-call webhook {id} does not exist any more: {LATE}. Choose another one in the settings of \
                 agents"
            ))),
        },
    }
    if let Some(events) = &settings.events {
        let missing: Vec<&str> = ["transcript", "call_initiation_failure"]
            .into_iter()
            .filter(|event| !events.iter().any(|known| known == event))
            .collect();
        if missing.is_empty() {
            judgements.push(Judgement::Good(format!("it gets the events {}", events.join(", "))));
        }
        for event in missing {
            let text = format!("the post-call webhook does not get the event {event}: switch it on ({LATE})");
            judgements.push(if event == "transcript" {
                Judgement::Wrong(text)
            } else {
                Judgement::Note(text)
            });
        }
    }
    judgements
}

fn webhook_of(webhook: &WorkspaceWebhook) -> Vec<Judgement> {
    let failure =
        webhook.last_failure.map(|status| format!(", its last failure was {status}")).unwrap_or_default();
    let mut judgements = Vec::new();
    if webhook.is_auto_disabled {
        judgements.push(Judgement::Wrong(format!(
            "ElevenLabs has switched off the post-call webhook after failures{failure}: {LATE}. Repair the address \
             and the secret (WEBHOOK_SECRET), then switch it on again"
        )));
    }
    if webhook.is_disabled {
        judgements.push(Judgement::Wrong(format!(
            "the post-call webhook is disabled: {LATE}. Switch it on at ElevenLabs"
        )));
    }
    let path = webhook.url.as_deref().and_then(|url| Url::parse(url).ok()).map(|url| url.path().to_owned());
    match path {
        Some(path) if !path.trim_end_matches('/').ends_with(REPORTS) => judgements.push(Judgement::Note(format!(
            "the post-call webhook goes to the path {path}, and precall takes reports at {REPORTS}: correct it, \
             unless a proxy changes the path"
        ))),
        Some(_) | None => {}
    }
    if judgements.is_empty() {
        judgements.push(Judgement::Good("the post-call webhook is switched on".to_owned()));
    }
    judgements
}

fn initiation(url: Option<&str>) -> Judgement {
    match url {
        Some(url) if url.contains(INITIATION) => Judgement::Good("the initiation webhook is set".to_owned()),
        Some(_) => Judgement::Note(format!(
            "the initiation webhook goes to another path than {INITIATION}: correct it, unless a proxy changes it"
        )),
        None => Judgement::Wrong(format!(
            "no initiation webhook is set: transferred callers hear the agent's own voice. Set it to \
             https://YOUR-HOST{INITIATION}, with the header of INITIATION_SECRET"
        )),
    }
}

#[cfg(test)]
mod tests;
