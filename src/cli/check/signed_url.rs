//! The signed address of an agent's session, and its host. Route `bridge` needs both.

use futures_util::future::join_all;
use precall_actors::call::line::AgentAccess;
use precall_call::Route;
use precall_providers::elevenlabs::{AgentUrl, AgentUrlError};

use super::finding::Judgement;
use super::world::World;

pub(super) async fn look(world: &World<'_>) -> Vec<Judgement> {
    let rules = &world.config.agent.bridge;
    let Ok(client) = &world.elevenlabs else { return Vec::new() };
    if world.config.call.route == Route::Callback {
        return Vec::new();
    }
    let asked = world.agents.iter().map(|(id, _)| async move {
        match rules.access {
            AgentAccess::Public => judge(id, client.public_agent_url(id)),
            AgentAccess::Signed => {
                judge(id, client.signed_agent_url(id, &rules.hosts, None, world.options.within).await)
            }
        }
    });
    join_all(asked).await
}

fn judge(agent: &str, url: Result<AgentUrl, AgentUrlError>) -> Judgement {
    match url {
        // The address itself is a secret.
        Ok(url) => {
            let host = url.expose().host_str().unwrap_or_default();
            Judgement::Good(format!("agent {agent}: the session opens at {host}"))
        }
        Err(AgentUrlError::Host(host)) => Judgement::Wrong(format!(
            "agent {agent}: the session opens at {host}, which precall does not trust: add {host} to AGENT_HOSTS"
        )),
        Err(AgentUrlError::Provider(error)) => Judgement::refused(
            &error,
            &format!("a signed URL of agent {agent}"),
            "correct ELEVENLABS_AGENT_ID, or the agent_id of the line",
        ),
        Err(error @ (AgentUrlError::Unreadable | AgentUrlError::Open)) => {
            Judgement::Wrong(format!("agent {agent}: {error}"))
        }
    }
}
