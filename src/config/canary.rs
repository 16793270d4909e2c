//! The canary: test calls that precall makes to itself.

use std::time::Duration;

use precall_base::phone_number::{CallerNumber, Region};
use precall_call::Route;

use super::callback::Callback;
use super::kind::Kind;
use super::problem::Problems;
use super::secret::Secret;
use super::section::Section;
use super::setting::variables;
use super::threecx::ThreeCx;
use super::value::numbers::Whole;
use super::value::{Complaint, FromText, Word};
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Required, Routes, Shown};

const CLIENT: Required = Required::When("when CANARY_EVERY_MINUTES is set on route bridge or transfer");
const MINUTES_PER_DAY: u64 = 24 * 60;

variables! { Section::Canary;
    canary_every_minutes: Whole<u64, 0, 1440> {
        unit: "minutes",
        default: Text("0"),
        help: "How often precall makes a test call to itself. 0: only when `precall canary` or the API asks for one.",
        note: "A test call counts in no metric, budget and list of calls, and takes no place from a caller. It costs \
            what a short conversation with the agent costs.",
    }
    canary_calls_per_day: Whole<u32, 1, 10_000> {
        unit: "calls",
        default: Text("100"),
        help: "Test calls within 24 hours at most, those that were asked for included. More are skipped.",
    }
    canary_client_id: Word {
        probed: Probed::Cannot("a second token of the PBX is asked for by a test call only"),
        routes: Routes::LiveLeg,
        required: CLIENT,
        example: "901",
        help: "DN of the route point that makes the test calls: an API client of its own, beside THREECX_CLIENT_ID.",
        note: "It needs call control. It calls the route point THREECX_CLIENT_ID, and listens.",
    }
    canary_client_secret: Secret {
        probed: Probed::Cannot("a second token of the PBX is asked for by a test call only"),
        routes: Routes::LiveLeg,
        required: CLIENT,
        example: "CHANGE_ME",
        help: "API key of that client.",
    }
    canary_number: TestNumber {
        probed: Probed::Cannot("a telephone shows only by ringing"),
        shown: Shown::Masked,
        example: "+441632960970",
        help: "Telephone number of the test calls on route callback, with + and country code. It should answer itself.",
        note: "Each test call rings it twice, for the greeting and for the agent. Without it, a test call on route \
            callback rings nobody: it only looks up the agent and its number.",
    }
}

/// A number with `+` and country code.
#[derive(Clone, Debug)]
struct TestNumber(CallerNumber);

impl FromText for TestNumber {
    const KIND: Kind = Kind::Form("telephone number with + and country code");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        match CallerNumber::parse(text, Region::UNKNOWN) {
            number @ CallerNumber::Public(_) => Ok(Self(number)),
            CallerNumber::Internal(_) | CallerNumber::Withheld | CallerNumber::Unreadable => {
                Err(Complaint::new("is no telephone number", "a number like +441632960970"))
            }
        }
    }
}

/// Access of the canary to 3CX call control.
#[derive(Clone, Debug)]
pub struct CanaryClient {
    /// The DN of its route point.
    pub id: String,
    /// Its API key.
    pub secret: Secret,
}

/// The canary.
#[derive(Clone, Debug)]
pub struct Canary {
    /// Between two test calls; none: only when asked.
    pub every: Option<Duration>,
    /// Test calls within 24 hours.
    pub calls_per_day: u32,
    /// Its API client at 3CX.
    pub client: Option<CanaryClient>,
    /// The number that it calls on route `callback`.
    pub number: Option<CallerNumber>,
}

impl Canary {
    pub(super) fn read(
        values: &Values,
        route: Option<Route>,
        threecx: Option<&ThreeCx>,
        callback: Option<&Callback>,
        problems: &mut Problems,
    ) -> Option<Self> {
        const BOTH: &str = "both CANARY_CLIENT_ID and CANARY_CLIENT_SECRET, or none";
        let settings = Settings::read(values, problems)?;
        let minutes = settings.canary_every_minutes.value().map(|Whole(minutes)| minutes);
        let per_day = settings.canary_calls_per_day.value().map(|Whole(calls)| calls);
        let (id, secret) = (settings.canary_client_id, settings.canary_client_secret);
        let is_on = minutes.is_some_and(|minutes| minutes > 0);
        let is_live = matches!(route, Some(Route::Bridge | Route::Transfer));
        let client = if id.is_unset() && secret.is_unset() && !(is_on && is_live) {
            None
        } else {
            let (id, secret) = (id.required(BOTH, problems), secret.required(BOTH, problems));
            Some(id.zip(secret).map(|(Word(id), secret)| CanaryClient { id, secret })?)
        };
        let number = settings.canary_number.optional()?.map(|TestNumber(number)| number);
        let (minutes, calls_per_day) = (minutes?, per_day?);
        if let (Some(client), Some(own)) = (&client, threecx.and_then(ThreeCx::own_dn))
            && client.id.eq_ignore_ascii_case(own)
        {
            let wrong = "is the route point of precall itself";
            problems.add(
                "CANARY_CLIENT_ID",
                wrong,
                "an API client of its own: one client has one valid token",
            );
        }
        let own = callback.map(|callback| callback.own_numbers.as_slice()).unwrap_or_default();
        if number.as_ref().is_some_and(|number| own.contains(number)) {
            let wrong = "is one of OWN_NUMBERS: the call would come back to precall";
            problems.add("CANARY_NUMBER", wrong, "a number that leads to a telephone");
        }
        let needed = MINUTES_PER_DAY.checked_div(minutes).unwrap_or(0);
        if needed > u64::from(calls_per_day) {
            let wrong =
                format!("is {calls_per_day}, and CANARY_EVERY_MINUTES={minutes} needs {needed} calls a day");
            problems.add("CANARY_CALLS_PER_DAY", wrong, "a larger number, or a larger CANARY_EVERY_MINUTES");
        }
        Some(Self {
            every: (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60))),
            calls_per_day,
            client,
            number,
        })
    }
}
