//! Where records and figures go: a file that rotates, standard output, Prometheus.
//!
//! It must not know what a record holds.

mod file;
mod metrics;
mod sink;
mod snapshot;
mod stdout;

pub use file::FileSink;
pub use metrics::encode;
pub use sink::Sink;
pub(crate) use snapshot::named;
pub use snapshot::{
    BanFigures, EndpointCoverage, InterfaceFigures, KernelFigures, PortFigures, RecordFigures,
    Snapshot, StreamFigures,
};
pub use stdout::LineSink;
