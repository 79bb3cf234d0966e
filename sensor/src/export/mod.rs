//! Where records and figures go: a file that rotates, standard output, Prometheus.
//!
//! It must not know what a record holds.

mod coverage;
mod file;
mod metrics;
mod patient;
mod receivers;
mod sink;
mod snapshot;
mod stdout;

pub use coverage::PortCoverage;
pub use file::{FileSink, wide_mode};
pub use metrics::encode;
pub use patient::Patient;
pub use sink::Sink;
pub use snapshot::{
    AnswerFigures, BanFigures, EndpointCoverage, InterfaceFigures, KernelFigures, PortFigures,
    ReceiverFigures, RecordFigures, SamplingFigures, Snapshot, StreamFigures,
};
pub(crate) use snapshot::{RESPONSE_CLASSES, named};
pub use stdout::LineSink;
