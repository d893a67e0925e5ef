//! The times; see the library. It asks its neighbour `allocations` for what it cannot count itself.

fn main() -> anyhow::Result<()> {
    peers::compare()
}
