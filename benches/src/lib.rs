//! Nothing but benchmarks, below `benches/`.
