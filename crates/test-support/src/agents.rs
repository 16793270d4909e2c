//! Simulated agents.

use precall_simulators::elevenlabs::{Act, Agent, Say, Script, Step};

/// The overrides that the agents of the test worlds allow; no others.
const ALLOWED_OVERRIDES: [&str; 2] = ["tts.voice_id", "agent.first_message"];

/// An agent that allows what the service overrides.
pub fn allowing_agent() -> Agent {
    Agent::allowing(&ALLOWED_OVERRIDES)
}

/// The same for `precall simulate elevenlabs`: the value of `--allow-override`.
pub fn allow_override() -> String {
    ALLOWED_OVERRIDES.join(",")
}

/// An agent that speaks without a pause for 200 s, longer than any test.
pub fn talkative_agent() -> Agent {
    let say = Act::Say(Say { ms: Some(2_000), text: "On and on.".to_owned(), ..Say::default() });
    let script = std::iter::repeat_n(Step::Act(say), 100).collect();
    Agent { script: Script::new(script).unwrap(), ..allowing_agent() }
}
