//! Counts allocations instead of time, in a binary of its own: the counting allocator costs some
//! nanoseconds per allocation, which no time may contain.

fn main() -> anyhow::Result<()> {
    peers::count_allocations(|work| {
        let mut answer = Ok(());
        let counted = allocation_counter::measure(|| answer = work());
        answer.map(|()| counted.count_total)
    })
}
