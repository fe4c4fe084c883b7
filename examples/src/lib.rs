//! Nothing but examples, below `rust/`.
