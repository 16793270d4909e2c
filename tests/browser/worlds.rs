//! The service that the browser looks at.

use precall::config::{ApiKeys, Scope};

use crate::support::{KEY, PbxPlan};
use crate::turns;

pub const READER: &str = "reader-key-reader-key-reader-key-1";
pub const OPERATOR: &str = "operator-key-operator-key-operator";

/// A plan with one key of each kind: admin, operate, read. Every test begins with it, when it is its turn.
pub fn with_keys(plan: PbxPlan) -> PbxPlan {
    turns::wait();
    let entry = |name: &str, scope, key: &str| ApiKeys::entry(name, scope, key).unwrap();
    let keys = [
        entry("anna", Scope::Admin, KEY),
        entry("otto", Scope::Operate, OPERATOR),
        entry("rita", Scope::Read, READER),
    ];
    plan.env("API_KEYS", &keys.join(","))
}
