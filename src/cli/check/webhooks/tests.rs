//! Tests of the judgement on webhooks.
#![allow(clippy::indexing_slicing)] // A failed test is a failed test.

use super::*;

fn sound() -> (AgentWebhooks, WorkspaceWebhook) {
    let settings = AgentWebhooks {
        post_call: Some("w1".to_owned()),
        events: Some(vec!["transcript".to_owned(), "call_initiation_failure".to_owned()]),
        initiation_url: Some(format!("https://calls.example{INITIATION}")),
    };
    let webhook = WorkspaceWebhook {
        id: "w1".to_owned(),
        url: Some(format!("https://calls.example{REPORTS}")),
        is_disabled: false,
        is_auto_disabled: false,
        last_failure: None,
    };
    (settings, webhook)
}

fn bad(
    settings: AgentWebhooks,
    list: Vec<WorkspaceWebhook>,
    own: &[AgentWebhooks],
    route: Route,
) -> Vec<String> {
    let judgements = judge(&Ok(list), &Ok(settings), own, route);
    let text = |judgement| match judgement {
        Judgement::Good(_) => None,
        Judgement::Note(text) | Judgement::Wrong(text) => Some(text),
    };
    judgements.into_iter().filter_map(text).collect()
}

#[test]
fn sound_webhooks_are_good() {
    let (settings, webhook) = sound();
    for route in [Route::Callback, Route::Bridge, Route::Transfer] {
        assert_eq!(bad(settings.clone(), vec![webhook.clone()], &[], route), Vec::<String>::new());
    }
}

#[test]
fn what_an_agent_sets_replaces_what_the_workspace_sets() {
    let (settings, webhook) = sound();
    let own = AgentWebhooks { post_call: Some("gone".to_owned()), ..settings.clone() };
    let said = bad(settings, vec![webhook], &[own], Route::Bridge);
    assert!(said.len() == 1 && said[0].contains("webhook gone does not exist"), "{said:?}");
}

#[test]
fn a_wrong_path_and_a_missing_initiation_webhook_are_named() {
    let (settings, webhook) = sound();
    let elsewhere = WorkspaceWebhook { url: Some("https://calls.example/hook".to_owned()), ..webhook };
    let settings = AgentWebhooks { initiation_url: None, ..settings };
    let said = bad(settings, vec![elsewhere], &[], Route::Transfer);
    assert!(
        said[0].contains("goes to the path /hook") && said[1].contains("no initiation webhook"),
        "{said:?}"
    );
}
