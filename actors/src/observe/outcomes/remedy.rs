//! What to do about a problem, from its area and its words.
//!
//! Pure: no clock, no I/O, no actor.

/// Words that say what is wrong, and what to do then. The first match counts; case is ignored.
const BY_WORDS: [(&[&str], &str); 14] = [
    (
        &["override"],
        "Switch this override on in the security settings of the agent at ElevenLabs. `precall check` lists those that \
         are needed.",
    ),
    (
        &["missing_permissions", "insufficient_permissions"],
        "Give the API key the permission that the words name, or use a key without restrictions.",
    ),
    (
        &["unauthorised", "invalid_api_key"],
        "Set ELEVENLABS_API_KEY to a valid key of the account and run `precall config reload`.",
    ),
    (
        &["slots_full", "voice_limit", "no free voice slot"],
        "Delete voices at ElevenLabs that nobody needs, or get more voice slots.",
    ),
    (
        &["concurrency_limited", "no agent seat", "too_many_concurrent"],
        "Raise AGENT_CONCURRENCY if the account allows more; else get a plan with more conversations at once.",
    ),
    (&["payment", "quota", "credits"], "Check credits and plan of the ElevenLabs account."),
    (
        &["rate_limited", "status 429"],
        "Wait: ElevenLabs limits the requests. If it goes on, get a larger plan.",
    ),
    (
        &["agent_not_found", "agent not found", "phone_number_not_found"],
        "Correct ELEVENLABS_AGENT_ID or ELEVENLABS_PHONE_NUMBER_ID, or the line's own ids. `precall check` looks each \
         of them up.",
    ),
    (
        &["not_found", "status 404"],
        "An id does not exist at ElevenLabs. `precall check` looks up the agent, the phone number and each voice.",
    ),
    (
        &["precall's own clock"],
        "Check NTP on this host. To set precall's own clock at once, restart precall when few calls are live.",
    ),
    (
        &["clock"],
        "Synchronise the clocks (NTP) of the sender and of this machine. The words say which way they differ.",
    ),
    (
        &["hangs up before it speaks"],
        "Check the agent's first message and its end-call tool at ElevenLabs. Its conversations there say why.",
    ),
    (
        &["too many open files", "open files"],
        "Raise the limit of open files: LimitNOFILE= in the systemd unit, `ulimits: nofile` in compose.yaml, or \
         `docker run --ulimit nofile=`.",
    ),
    (
        &["timeout", "unreachable", "lost, ", "server, status 5"],
        "Check the network to the service and its status page. precall tries again by itself.",
    ),
];

pub(super) fn remedy(area: &str, words: &str) -> &'static str {
    // Its words are an operator's.
    if area == "bypass" {
        return "Run `precall bypass off` when the reason is gone.";
    }
    // Its words are those of a mail server or a webhook.
    if area == "alerts" {
        return "Run `precall alerts test`. Correct the ALERT_* variables, or repair the mail server or the receiver.";
    }
    // Its words are names of variables.
    if area == "configuration" {
        return "Run `precall config reload`: it says what is wrong. Correct the file and reload again.";
    }
    let words = words.to_ascii_lowercase();
    let by_words = BY_WORDS.iter().find(|(signs, _)| signs.iter().any(|sign| words.contains(sign)));
    by_words.map_or_else(|| by_area(area), |(_, remedy)| remedy)
}

fn by_area(area: &str) -> &'static str {
    match area {
        "clone" => "Run `precall check`. The log line `clone failed` names the job.",
        "handoff" => "Run `precall check`. The events of the call say what was tried.",
        "greeting" => "Run `precall check`. The events of the call say how far the greeting got.",
        "prompts" => {
            "Correct the voice, the file or the address. precall prepares the prompt again every minute."
        }
        "webhooks" => {
            "Compare the secret and the URL at the sender with the configuration; see the log line `webhook \
                       refused`."
        }
        "canary" => {
            "Run `precall canary`: it shows each step. The words name the step that failed and say why."
        }
        "replica" => "See \"Read replica\" in docs/DATABASE.md.",
        "storage" => "See \"Database and spool\" in docs/OPERATIONS.md.",
        "threecx" => "Correct what the words name, then restart precall; or repair the PBX or the network.",
        _ => "Run `precall check`.",
    }
}
