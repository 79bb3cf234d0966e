//! The half of a conversation that reads requests.
//!
//! It must not touch responses, except to say which requests they cannot answer.

use super::declined::asks_first;
use super::standing::Standing;
use super::{Context, Conversation, Interest, emit, is_empty, miss_before};
use crate::http::body::{Framing, Progress, Skip, note};
use crate::http::cutter::Found;
use crate::http::head::{self, RequestHead, Tolerance};
use crate::http::options::MAX_PIPELINED;
use crate::http::queue::{Answer, Unseen};
use crate::http::reader::{GapIn, Input, State};
use crate::http::start_line;
use crate::http::target::may_be_host;
use crate::http::{Anomaly, Body, Coverage, Exchange, Headers, Observation, Request};

impl Conversation {
    /// Reads octets of the client.
    pub(super) fn request_octets<S: FnMut(Observation)>(
        &mut self,
        mut input: Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        if let Some(declined) = self.declined.take() {
            return self.declined_octets(declined, input, context);
        }
        self.requests.begin_segment(input.mark.acknowledged, self.is_seen());
        while !input.octets.is_empty() {
            match self.requests.state() {
                State::Head => {
                    if !self.request_head(&mut input, context) {
                        self.meet_no_request(context.ports);
                        self.requests.lose_track(false);
                        self.reject_request(input.mark.acknowledged);
                    }
                }
                State::Body(_) => match self.requests.body(&mut input) {
                    Progress::More => {}
                    Progress::Done => self.end_request(true, 0, Coverage::FULL, context),
                    Progress::Broken => {
                        self.end_request(false, 0, Coverage::TRUNCATED, context);
                        self.miss_requests(self.requests.position(), Unseen::NotUnderstood, false);
                    }
                },
                State::Search => {
                    let passed = self.requests.search(&mut input);
                    context.counters.unrecognised_octets += passed.len() as u64;
                    if !is_empty(passed) {
                        self.reject_request(input.mark.acknowledged);
                    }
                }
            }
            if self.is_out_of_patience() {
                return self.take_back(context);
            }
        }
        Interest::Keep
    }

    /// Passes over octets of the client, up to the position `end`, that were left out of a body of
    /// which only the length counts.
    pub(super) fn request_skipped<S: FnMut(Observation)>(
        &mut self,
        length: u64,
        end: u64,
        context: &mut Context<'_, S>,
    ) {
        if let GapIn::Body(Skip::Past(_, surplus)) = self.requests.gap(length) {
            self.end_request(true, surplus, Coverage::FULL, context);
            if surplus > 0 {
                self.miss_requests(end, Unseen::LostRequest, true);
            }
        }
    }

    /// Passes over octets of the client that were not captured, up to the position `end`.
    pub(super) fn request_gap<S: FnMut(Observation)>(
        &mut self,
        length: u64,
        end: u64,
        context: &mut Context<'_, S>,
    ) {
        if self.declined_gap(end, context) {
            return;
        }
        let is_due = self.requests.keeps_track();
        let begun = self.requests.is_reading().then(|| self.requests.start());
        match self.requests.gap(length) {
            GapIn::Nothing => {
                if let Some(start) = begun {
                    self.queue.take_turn(start, self.last_answer());
                }
                self.miss_requests(end, Unseen::LostRequest, is_due);
            }
            GapIn::Head(head) => {
                let head = head::request(&head, Tolerance::Understandable);
                self.cut_request(head, Coverage::GAP, context);
                self.miss_requests(end, Unseen::LostWithin, false);
            }
            GapIn::Body(Skip::Within(_)) => {
                if let Some(pending) = self.queue.back_mut() {
                    pending.exchange.coverage.add(Coverage::GAP);
                }
            }
            GapIn::Body(Skip::Past(missing, surplus)) => {
                let coverage = if missing > 0 { Coverage::GAP } else { Coverage::FULL };
                self.end_request(true, surplus, coverage, context);
                if surplus > 0 {
                    self.miss_requests(end, Unseen::LostRequest, true);
                }
            }
            GapIn::Body(Skip::Lost) => {
                self.end_request(false, length, Coverage::GAP, context);
                self.miss_requests(end, Unseen::LostWithin, false);
            }
        }
    }

    /// Ends the stream of requests.
    pub(super) fn requests_end<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        self.declined = None;
        if let State::Body(_) = self.requests.state() {
            self.end_request(false, 0, Coverage::TRUNCATED, context);
        } else if let Some(head) = self.requests.take_partial_head() {
            let head = head::request(&head, Tolerance::Understandable);
            self.cut_request(head, Coverage::TRUNCATED, context);
        }
        self.requests.lose_track(true);
    }

    /// Reads on in a head; `false` when it is none.
    fn request_head<S: FnMut(Observation)>(
        &mut self,
        input: &mut Input<'_>,
        context: &mut Context<'_, S>,
    ) -> bool {
        let unread = *input;
        match self.requests.head(input) {
            Found::More => true,
            Found::Nothing => false,
            Found::Head(head) => {
                if let Some(head) = head::request(&head, self.requests.tolerance(&head)) {
                    self.begin_request(head, Coverage::FULL, context);
                    return true;
                }
                self.requests.refuse_head(input, unread);
                false
            }
            Found::TooLong(head) => {
                context.counters.long_heads += 1;
                let mut head = head::request(&head, Tolerance::Understandable);
                if let Some(head) = &mut head {
                    note(&mut head.anomalies, Anomaly::HeadTooLong);
                }
                self.cut_request(head, Coverage::TRUNCATED, context);
                self.requests.doubt(self.responses.position());
                false
            }
        }
    }

    /// Begins a request; `cut` says what is missing of its head.
    fn begin_request<S: FnMut(Observation)>(
        &mut self,
        head: RequestHead,
        cut: Coverage,
        context: &mut Context<'_, S>,
    ) {
        let RequestHead { method, target, version, headers, mut anomalies } = head;
        context.counters.requests += 1;
        self.give_up_lost_responses(context);
        self.make_room(context);
        if self.requests.has_bare_lf() {
            note(&mut anomalies, Anomaly::BareLf);
        }
        note_hosts(&headers, &mut anomalies);
        let framing = Framing::of_request(version, &headers, &mut anomalies);
        let ends_by_guess = framing.is_guess(&anomalies);
        let start = self.requests.start();
        if start_line::is_known_method(&method) {
            self.meet_known_method();
        }
        let mut exchange = self.exchange(context.proxies);
        exchange.anomalies = anomalies;
        exchange.coverage.add(cut);
        let doubtful = self.requests.is_doubtful();
        if doubtful {
            self.mark_doubtful(&mut exchange);
        } else {
            // In a body, fields say what the body's sender likes.
            let identity = context.proxies.client(exchange.client, &headers);
            context.counters.bad_forwarding += u64::from(identity.garbage);
            exchange.client = identity.client;
        }
        let client = exchange.client;
        let port = exchange.flow.destination.port();
        let policy = context.bodies.of_request(port, &method, &target);
        let asks_first = asks_first(version, &headers);
        exchange.request = Some(Request {
            started: start.time,
            method,
            target,
            version,
            headers,
            body: Body::default(),
            wire_bytes: 0,
            doubtful,
        });
        self.queue.push(exchange, start, self.last_answer());
        if !cut.is_full() {
            self.requests.expect_end();
            return;
        }
        self.requests.expect_body(framing, policy, client, context.allowance);
        if asks_first {
            self.requests.ask_first();
        }
        if ends_by_guess {
            self.requests.doubt(self.responses.position());
        }
        if framing == Framing::Length(0) {
            self.end_request(true, 0, Coverage::FULL, context);
        }
    }

    /// Begins a request and ends it at once: of its head, only the start is there.
    pub(super) fn cut_request<S: FnMut(Observation)>(
        &mut self,
        head: Option<RequestHead>,
        coverage: Coverage,
        context: &mut Context<'_, S>,
    ) {
        let Some(head) = head else { return };
        self.begin_request(head, coverage, context);
        self.end_request(false, 0, coverage, context);
    }

    pub(super) fn end_request<S: FnMut(Observation)>(
        &mut self,
        whole: bool,
        surplus: u64,
        coverage: Coverage,
        context: &mut Context<'_, S>,
    ) {
        let ended = self.requests.end_message(whole, surplus);
        let Some(pending) = self.queue.back_mut() else { return };
        pending.request_done = true;
        let exchange = &mut pending.exchange;
        exchange.coverage.add(coverage);
        for anomaly in ended.anomalies {
            note(&mut exchange.anomalies, anomaly);
        }
        if let Some(request) = &mut exchange.request {
            request.body = ended.body;
            request.wire_bytes = ended.wire_bytes;
        }
        self.emit_complete(context);
    }

    /// What stands in place of a request is none, and was sent when so much was `received`. Behind
    /// a gap that says no more than that it may be part of one.
    fn reject_request(&mut self, received: u64) {
        if self.requests.is_after_gap() {
            self.queue.hear(received);
            self.requests.doubt(received);
        } else {
            self.hide_requests(self.requests.position(), Unseen::NotUnderstood, false);
            self.requests.doubt_further(received);
        }
    }

    /// Requests may go unseen up to `end`. Where segments are missing, the next octets may start
    /// one.
    pub(super) fn miss_requests(&mut self, end: u64, why: Unseen, is_sure: bool) {
        self.hide_requests(end, why, is_sure);
        self.requests.lose_track(why != Unseen::NotUnderstood);
        self.requests.doubt(self.responses.position());
    }

    /// Says on an exchange why its request may be none.
    fn mark_doubtful(&self, exchange: &mut Exchange) {
        if self.is_seen() {
            self.queue.mark_doubtful(exchange);
        } else {
            miss_before(exchange);
        }
    }

    pub(super) fn hide_requests(&mut self, end: u64, why: Unseen, is_sure: bool) {
        let unread = self.requests.message_end()..end;
        self.queue.hide_requests(unread, self.responses.position(), why, is_sure);
    }

    fn last_answer(&self) -> Answer {
        Answer {
            end: self.responses.message_end(),
            received: self.responses.start().acknowledged,
            is_whole: self.responses.keeps_track(),
        }
    }

    /// Puts out requests whose responses the client has received and the capture has not.
    fn give_up_lost_responses<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        if self.standing == Standing::Odd {
            return;
        }
        let received = self.requests.start().acknowledged;
        while let Some(mut exchange) = self.queue.pop_answered_unseen(received) {
            exchange.coverage.add(Coverage::GAP);
            emit(exchange, context);
        }
    }

    /// Keeps the queue within its limit: the request that waits longest is put out.
    fn make_room<S: FnMut(Observation)>(&mut self, context: &mut Context<'_, S>) {
        if self.queue.len() < MAX_PIPELINED {
            return;
        }
        context.counters.pipeline_overflows += 1;
        if let Some(mut exchange) = self.queue.give_up_waiting() {
            exchange.coverage.add(Coverage::TRUNCATED);
            emit(exchange, context);
        }
    }
}

/// Names what is wrong with the Host fields of a request. That there is none is not: test clients
/// and probes leave it out as a rule.
fn note_hosts(headers: &Headers, anomalies: &mut Vec<Anomaly>) {
    let (mut count, mut is_bad) = (0, false);
    for host in headers.all("host") {
        count += 1;
        is_bad |= !may_be_host(host);
    }
    if count > 1 {
        note(anomalies, Anomaly::RepeatedHost);
    }
    if is_bad {
        note(anomalies, Anomaly::BadHost);
    }
}
