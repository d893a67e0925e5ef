//! End-to-end stories: each against real processes on free ports of loopback.

mod authorize;
mod bad_input;
mod chaos;
mod client_authentication;
mod crash;
mod drain;
mod faults;
mod first_party;
mod forgeries;
mod interop;
mod issuing;
mod load;
mod outage;
mod postgres;
mod redaction;
mod refresh;
mod relying_parties;
mod replicas;
mod rotation;
mod sign_in;
mod status;
mod tokens;

/// Settings that let a rotation happen in seconds. The inequalities between them hold all the same.
const COMPRESSED: &[(&str, &str)] = &[
    ("TOKEN_LIFETIME", "3s"),
    ("ROTATION_PERIOD", "2s"),
    ("ROTATION_LEAD", "2s"),
    ("ROTATION_TAIL", "5s"),
    ("ROTATION_LEASE", "1s"),
    ("VERIFIERS_SKEW", "0s"),
    ("VERIFIERS_FRESHNESS", "1s"),
    ("VERIFIERS_FOREIGN", "false"),
    ("SERVER_DRAIN_DELAY", "0s"),
];

/// Settings under which nothing rotates by itself, but may be rotated after two seconds.
const BY_HAND: &[(&str, &str)] = &[
    ("ROTATION_PERIOD", "30d"),
    ("ROTATION_LEAD", "2s"),
    ("ROTATION_LEASE", "1s"),
    ("VERIFIERS_SKEW", "0s"),
    ("VERIFIERS_FRESHNESS", "1s"),
    ("VERIFIERS_FOREIGN", "false"),
    ("SERVER_DRAIN_DELAY", "0s"),
];
