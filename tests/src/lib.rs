//! The harness of the kernel and end-to-end tests: namespaces, packets, servers and clients.
//!
//! It must not know the agent's internals; it speaks to the binary as a user would.
