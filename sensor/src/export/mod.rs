//! Where records and figures go: files, standard output, Prometheus.
//!
//! It must not know what a record holds.

mod metrics;
mod snapshot;

pub use metrics::encode;
pub use snapshot::{
    BanFigures, InterfaceFigures, KernelFigures, PortFigures, RecordFigures, Snapshot,
    StreamFigures,
};
