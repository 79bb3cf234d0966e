//! Makes lines of what one shard sees, in memory that is used again.
//!
//! It must not know where lines go.

use std::sync::Arc;

use super::Observer;
use super::common::Connections;
use super::connection::ConnectionRecord;
use super::delivery::DeliveryRecord;
use super::headers::HeaderEncoder;
use super::json::write_line;
use super::urls::Urls;
use crate::http::Opaque;
use crate::webhook::Delivery;

/// Makes the lines of deliveries and connections that one observer sees.
#[derive(Debug)]
pub struct Recorder {
    observer: Arc<Observer>,
    connections: Connections,
    headers: HeaderEncoder,
    urls: Urls,
    line: Vec<u8>,
}

impl Recorder {
    /// For records of `observer`.
    #[must_use]
    pub fn new(observer: Arc<Observer>) -> Self {
        Self {
            observer,
            connections: Connections::default(),
            headers: HeaderEncoder::default(),
            urls: Urls::default(),
            line: Vec::new(),
        }
    }

    /// The record of a delivery, as a line without its ending.
    pub fn delivery(&mut self, delivery: &Delivery) -> &[u8] {
        let exchange = &*delivery.exchange;
        let common = self.connections.common(&exchange.flow, exchange.client, &self.observer);
        let request = exchange.request.as_ref();
        let headers = request.map(|one| self.headers.encode(&one.headers, &delivery.roles));
        let place = request.map(|one| self.urls.of(one));
        self.line.clear();
        write_line(&DeliveryRecord::new(delivery, headers, place, common), &mut self.line);
        &self.line
    }

    /// The record of a connection whose messages are not read, as a line without its ending.
    pub fn connection(&mut self, connection: &Opaque) -> &[u8] {
        self.line.clear();
        write_line(&ConnectionRecord::new(connection, &self.observer), &mut self.line);
        &self.line
    }
}
