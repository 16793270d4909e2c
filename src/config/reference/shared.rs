//! What both documents contain: the minimum of each route, and the rules.

/// The least that route `bridge` needs in production.
pub const BRIDGE_MINIMUM: &[&str] = &[
    "DATABASE_URL",
    "ELEVENLABS_API_KEY",
    "ELEVENLABS_AGENT_ID",
    "THREECX_WEBHOOK_SECRET",
    "WEBHOOK_SECRET",
    "THREECX_BASE_URL",
    "THREECX_CLIENT_ID",
    "THREECX_CLIENT_SECRET",
    "NOTICE_MESSAGE",
];

/// The least that route `callback` needs in production.
pub const CALLBACK_MINIMUM: &[&str] = &[
    "DATABASE_URL",
    "ELEVENLABS_API_KEY",
    "ELEVENLABS_AGENT_ID",
    "ELEVENLABS_PHONE_NUMBER_ID",
    "THREECX_WEBHOOK_SECRET",
    "WEBHOOK_SECRET",
];

/// How to read the variables, one rule a line. Both documents begin with them.
pub(super) const RULES: &[&str] = &[
    "precall reads the environment and the file .env in its working directory, or the file of --env-file. The \
     environment wins over the file.",
    "An empty variable counts as unset.",
    "true and false may also be written 1/0, yes/no or on/off. Words may be in any case.",
    "Lists are separated by commas, or written as a JSON array of strings.",
    "A .env file is read as python-dotenv and docker compose read it: NAME=value or NAME: value, export in front, \
     values with spaces, comments behind a blank and #. Put a value with $ or # into 'single quotes': elsewhere \
     ${NAME} and $NAME stand for the value of a variable that is set.",
    "A secret NAME may instead be in a file: set NAME_FILE to its path. Setting both is an error.",
    "A byte order mark before a value or a secret file, and a carriage return behind a value, are skipped with a \
     warning. Other characters that nobody sees (zero-width and no-break spaces, soft hyphens, marks of direction) are \
     refused; spoken text may have the ones that its spelling needs.",
    "A reload (precall config reload, or SIGHUP) reads the file and the files of secrets again, for new calls and \
     requests: all of it, or nothing if anything is wrong. Variables with \"Restart: yes\" stay as they were. So does \
     everything in the environment of the process.",
    "A wrong configuration ends the start with exit code 2 and one message that names every wrong variable.",
    "precall config show prints the values in effect and where each is set, without secrets. precall check tries them.",
];

/// The command that rewrites both documents.
pub(super) const COMMAND: &str = "UPDATE_DOCS=1 cargo test --test env_example";
