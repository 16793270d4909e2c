//! Pure: every fault that there is, what it takes away, and which of them the short run has.

use std::fmt;
use std::time::Duration;

use crate::site::Route;
use crate::support::proxy::Trouble;

/// Nobody notices a shorter silence.
pub const SILENT_AT_MOST: Duration = Duration::from_secs(2);
/// A silent agent counts as lost 5 s after the last byte; then the caller hears music at once.
const SILENT_WITH_AGENT: Duration = Duration::from_secs(6);
/// Audio to the caller counts as lost when a piece is not taken for 1.5 s. Before that the buffers of both sides take
/// up to two seconds of it. A request without an answer is sent again after 1.5 s: first for a token, then for the leg.
const SILENT_WITH_PBX: Duration = Duration::from_secs(4);

/// The connections that can be troubled: one lane for each use that precall makes of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    Database,
    ProviderHttp,
    AgentSocket,
    PbxHttp,
    PbxEvents,
    PbxAudio,
}

impl Peer {
    pub const ALL: [Self; 6] = [
        Self::Database,
        Self::ProviderHttp,
        Self::AgentSocket,
        Self::PbxHttp,
        Self::PbxEvents,
        Self::PbxAudio,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Database => "PostgreSQL connections",
            Self::ProviderHttp => "ElevenLabs HTTP",
            Self::AgentSocket => "ElevenLabs agent WebSocket",
            Self::PbxHttp => "3CX HTTP",
            Self::PbxEvents => "3CX event WebSocket",
            Self::PbxAudio => "3CX audio",
        }
    }
}

/// What is wrong with the connections of a peer.
pub const TROUBLES: [(Trouble, &str); 8] = [
    (Trouble::Delay(Duration::from_millis(300)), "delayed"),
    (Trouble::Jitter(Duration::from_millis(400)), "jitter"),
    (Trouble::Stall, "stalled"),
    (Trouble::BlackHole, "black hole"),
    (Trouble::Reset, "reset"),
    (Trouble::HalfClose, "half-closed"),
    (Trouble::Trickle, "trickle"),
    (Trouble::Cut, "cut"),
];

/// What is wrong with the database itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseFault {
    /// The postmaster is killed, and started again on its data.
    Killed,
    /// Stopped in order, and started again.
    Stopped,
    /// All of its processes are stopped by a signal, and go on later.
    Frozen,
    /// A session holds the table of call events.
    Locked,
    /// Every transaction is read-only.
    ReadOnly,
    /// Each insert fails as on a full disk (SQLSTATE 53100).
    Full,
    /// Every session is ended by an administrator, again and again.
    SessionsEnded,
}

/// What happens to precall's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessFault {
    /// Killed, and started again at once.
    Killed,
    /// Told to end, and started again.
    Terminated,
    /// Stopped by a signal, and goes on later.
    Frozen,
    /// The host's clock steps by an hour, and back later.
    ClockAhead,
    ClockBehind,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Net(Peer, Trouble, &'static str),
    Database(DatabaseFault),
    Precall(ProcessFault),
}

impl Fault {
    /// Every fault.
    pub fn all() -> Vec<Self> {
        let net = Peer::ALL
            .into_iter()
            .flat_map(|peer| TROUBLES.into_iter().map(move |(trouble, name)| Self::Net(peer, trouble, name)));
        let database = [
            DatabaseFault::Killed,
            DatabaseFault::Stopped,
            DatabaseFault::Frozen,
            DatabaseFault::Locked,
            DatabaseFault::ReadOnly,
            DatabaseFault::Full,
            DatabaseFault::SessionsEnded,
        ];
        let precall = [
            ProcessFault::Killed,
            ProcessFault::Terminated,
            ProcessFault::Frozen,
            ProcessFault::ClockAhead,
            ProcessFault::ClockBehind,
        ];
        net.chain(database.into_iter().map(Self::Database))
            .chain(precall.into_iter().map(Self::Precall))
            .collect()
    }

    /// The longest time for which a caller may hear nothing while it lasts, beside what it takes itself.
    ///
    /// In the caller's turn a silent agent is noticed only by its connection: an agent that thinks and one that is gone
    /// sound the same until then. A connection that went into a black hole stays dead when the others are well again.
    pub fn silent_at_most(self) -> Duration {
        match self {
            Self::Net(Peer::AgentSocket, Trouble::Stall | Trouble::BlackHole | Trouble::Trickle, _) => {
                SILENT_WITH_AGENT
            }
            Self::Net(Peer::PbxAudio | Peer::PbxHttp, Trouble::BlackHole, _) => SILENT_WITH_PBX,
            Self::Net(..) | Self::Database(_) | Self::Precall(_) => SILENT_AT_MOST,
        }
    }

    /// Whether it can happen on this route at all.
    pub fn concerns(self, route: Route) -> bool {
        let of_the_bridge = matches!(
            self,
            Self::Net(Peer::AgentSocket | Peer::PbxHttp | Peer::PbxEvents | Peer::PbxAudio, ..)
        );
        route == Route::Bridge || !of_the_bridge
    }

    /// Whether it is over at once: a process manager starts an ended process again.
    pub fn is_sudden(self) -> bool {
        matches!(self, Self::Precall(ProcessFault::Killed | ProcessFault::Terminated))
    }

    /// Which faults can happen at the same time: those of different parts.
    pub fn part(self) -> Part {
        match self {
            Self::Net(Peer::Database, ..) | Self::Database(_) => Part::Database,
            Self::Net(Peer::ProviderHttp | Peer::AgentSocket, ..) => Part::Provider,
            Self::Net(Peer::PbxHttp | Peer::PbxEvents | Peer::PbxAudio, ..) => Part::Pbx,
            Self::Precall(_) => Part::Precall,
        }
    }

    /// Whether precall cannot bring sound to a caller while this lasts, whatever it does: it does not run, it cannot
    /// learn of a new leg, or the leg's audio carries nothing.
    pub fn takes_the_sound(self) -> bool {
        match self {
            Self::Precall(ProcessFault::Killed | ProcessFault::Terminated | ProcessFault::Frozen) => true,
            Self::Precall(ProcessFault::ClockAhead | ProcessFault::ClockBehind)
            | Self::Database(_)
            | Self::Net(Peer::Database | Peer::ProviderHttp | Peer::AgentSocket, ..) => false,
            Self::Net(Peer::PbxHttp | Peer::PbxEvents | Peer::PbxAudio, trouble, _) => {
                !matches!(trouble, Trouble::Delay(_) | Trouble::Jitter(_))
            }
        }
    }
}

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Database,
    Provider,
    Pbx,
    Precall,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Precall, Self::Database, Self::Pbx, Self::Provider];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(peer, _, name) => write!(f, "{}: {name}", peer.name()),
            Self::Database(fault) => {
                let name = match fault {
                    DatabaseFault::Killed => "killed",
                    DatabaseFault::Stopped => "stopped",
                    DatabaseFault::Frozen => "frozen",
                    DatabaseFault::Locked => "locked",
                    DatabaseFault::ReadOnly => "read-only",
                    DatabaseFault::Full => "disk full",
                    DatabaseFault::SessionsEnded => "sessions ended",
                };
                write!(f, "PostgreSQL: {name}")
            }
            Self::Precall(fault) => {
                let name = match fault {
                    ProcessFault::Killed => "killed",
                    ProcessFault::Terminated => "terminated",
                    ProcessFault::Frozen => "frozen",
                    ProcessFault::ClockAhead => "clock an hour ahead",
                    ProcessFault::ClockBehind => "clock an hour behind",
                };
                write!(f, "precall: {name}")
            }
        }
    }
}

#[test]
fn each_fault_has_its_own_name() {
    let all: Vec<String> = Fault::all().iter().map(ToString::to_string).collect();
    let unique: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
}
