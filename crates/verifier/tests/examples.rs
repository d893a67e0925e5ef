//! What it takes to protect a route is shown by examples, and is little.

#[test]
fn a_route_is_protected_by_five_lines() {
    for (name, text) in [
        ("axum", include_str!("../examples/axum.rs")),
        ("tower", include_str!("../examples/tower.rs")),
        ("tonic", include_str!("../examples/tonic.rs")),
        ("actix", include_str!("../examples/actix.rs")),
    ] {
        let (added, plain): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.ends_with("// +"));
        assert!((4..=5).contains(&added.len()), "{name}: {added:#?}");
        // The plain service knows nothing of it.
        for line in plain {
            assert!(!line.contains("erifier") && !line.contains("OrdersRead"), "{name}: {line}");
        }
    }
}
