//! The half of a conversation that reads responses and gives each to its request.
//!
//! It must not touch requests, except to put out those that nothing will answer.

use super::standing::Standing;
use super::tunnel::asks_for_another_protocol;
use super::{Context, Conversation, Interest, emit, is_empty, miss_before};
use crate::http::body::{Framing, Progress, Skip, declares_body, note};
use crate::http::cutter::Found;
use crate::http::head::{self, ResponseHead, Tolerance};
use crate::http::queue::{Choice, Doubt};
use crate::http::reader::{GapIn, Input, State};
use crate::http::{
    Anomaly, Body, BodyPolicy, Coverage, Exchange, Observation, PortFilter, Response,
};

/// The one status that servers send without having been asked (RFC 9110, section 15.5.9).
const REQUEST_TIMEOUT: u16 = 408;

/// What follows a response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// A body, which may be empty.
    Body(Framing),
    /// Another protocol, in both directions.
    Opaque,
}

impl Conversation {
    /// Reads octets of the server.
    pub(super) fn response_octets<S: FnMut(Observation)>(
        &mut self,
        mut input: Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        self.end_bodiless_response(input, context);
        self.responses.begin_segment(input.mark.acknowledged, self.is_seen());
        while !input.octets.is_empty() {
            match self.responses.state() {
                State::Head => {
                    if self.response_head(&mut input, context) == Interest::Opaque {
                        context.counters.opaque_octets += input.octets.len() as u64;
                        return Interest::Opaque;
                    }
                }
                State::Body(_) => match self.responses.body(&mut input) {
                    Progress::More => {}
                    Progress::Done => self.end_response(true, 0, Coverage::FULL, context),
                    Progress::Broken => {
                        self.end_response(false, 0, Coverage::TRUNCATED, context);
                        self.miss_responses(Doubt::Responses);
                    }
                },
                State::Search => {
                    let passed = self.responses.search(&mut input);
                    context.counters.unrecognised_octets += passed.len() as u64;
                    let received = input.mark.acknowledged;
                    if !is_empty(passed)
                        && self.reject_response(received, context) == Interest::Opaque
                    {
                        return Interest::Opaque;
                    }
                }
            }
        }
        Interest::Keep
    }

    /// Passes over octets of the server that were left out of a body of which only the length
    /// counts.
    pub(super) fn response_skipped<S: FnMut(Observation)>(
        &mut self,
        length: u64,
        context: &mut Context<'_, S>,
    ) {
        if let GapIn::Body(Skip::Past(_, surplus)) = self.responses.gap(length) {
            self.end_response(true, surplus, Coverage::FULL, context);
            if surplus > 0 {
                self.miss_responses(Doubt::Lost);
            }
        }
    }

    /// Passes over octets of the server that were not captured.
    pub(super) fn response_gap<S: FnMut(Observation)>(
        &mut self,
        length: u64,
        context: &mut Context<'_, S>,
    ) {
        match self.responses.gap(length) {
            GapIn::Nothing => self.miss_responses(Doubt::Lost),
            GapIn::Head(head) => {
                let head = head::response(&head, Tolerance::Understandable);
                self.cut_response(head, Coverage::GAP, context);
                self.miss_responses(Doubt::Lost);
            }
            GapIn::Body(Skip::Within(_)) => {
                if let Some(exchange) = self.answered() {
                    exchange.coverage.add(Coverage::GAP);
                }
            }
            GapIn::Body(Skip::Past(missing, surplus)) => {
                let coverage = if missing > 0 { Coverage::GAP } else { Coverage::FULL };
                self.end_response(true, surplus, coverage, context);
                if surplus > 0 {
                    self.miss_responses(Doubt::Lost);
                }
            }
            GapIn::Body(Skip::Lost) => {
                self.end_response(false, length, Coverage::GAP, context);
                self.miss_responses(Doubt::Lost);
            }
        }
    }

    /// Ends the stream of responses: `orderly` by its sender, so that a body may end with it. What
    /// waits for an answer gets none, and `unanswered` says whether that is all that was seen.
    pub(super) fn responses_end<S: FnMut(Observation)>(
        &mut self,
        orderly: bool,
        unanswered: Coverage,
        context: &mut Context<'_, S>,
    ) {
        match self.responses.state() {
            State::Body(Framing::UntilClose) if orderly => {
                self.end_response(true, 0, Coverage::FULL, context);
            }
            State::Body(_) => self.end_response(false, 0, Coverage::TRUNCATED, context),
            State::Head | State::Search => {
                if let Some(head) = self.responses.take_partial_head() {
                    let head = head::response(&head, Tolerance::Understandable);
                    self.cut_response(head, Coverage::TRUNCATED, context);
                }
            }
        }
        self.responses.lose_track(true);
        if self.standing == Standing::Odd {
            self.take_back(context);
            return;
        }
        let lost = if self.queue.has_lost_responses() { Coverage::GAP } else { Coverage::FULL };
        let unsure = self.queue.may_lack_requests();
        while let Some(mut exchange) = self.queue.pop_done() {
            if exchange.response.is_none() {
                exchange.coverage.add(unanswered);
                exchange.coverage.add(lost);
                if unsure {
                    self.queue.mark_unpaired(&mut exchange);
                }
            }
            emit(exchange, context);
        }
    }

    /// Responses may go unseen from here on. Where segments are missing, the next octets may start
    /// one.
    fn miss_responses(&mut self, why: Doubt) {
        self.queue.hide_responses(why);
        self.responses.lose_track(why == Doubt::Lost);
        if why == Doubt::Lost {
            self.responses.doubt(self.requests.position());
        }
        self.interim = None;
    }

    /// What stands in place of a response is none, and was sent when so much was `received`. Where
    /// nothing but a word, a word and a version spoke for HTTP, that was no request then. Behind a
    /// gap it says no more than that it may be part of one.
    fn reject_response<S: FnMut(Observation)>(
        &mut self,
        received: u64,
        context: &mut Context<'_, S>,
    ) -> Interest {
        if self.responses.is_after_gap() {
            self.responses.doubt(received);
            return Interest::Keep;
        }
        let is_open = self.standing != Standing::Http && self.opening.initiator.is_some();
        if *context.ports == PortFilter::Any && is_open {
            return self.take_back(context);
        }
        self.mark_surplus();
        self.queue.hide_responses(Doubt::Responses);
        self.interim = None;
        Interest::Keep
    }

    pub(super) fn end_response<S: FnMut(Observation)>(
        &mut self,
        whole: bool,
        surplus: u64,
        coverage: Coverage,
        context: &mut Context<'_, S>,
    ) {
        let ended = self.responses.end_message(whole, surplus);
        self.queue.see_response(self.responses.start(), self.responses.message_end());
        let Some(exchange) = self.answered() else { return };
        exchange.coverage.add(coverage);
        for anomaly in ended.anomalies {
            note(&mut exchange.anomalies, anomaly);
        }
        if let Some(response) = &mut exchange.response {
            response.body = ended.body;
            response.wire_bytes = ended.wire_bytes;
        }
        if let Some(orphan) = self.orphan.take() {
            emit(orphan, context);
        } else {
            self.queue.answer_until(self.responses.message_end());
            self.emit_complete(context);
        }
    }

    /// Reads on in a head.
    fn response_head<S: FnMut(Observation)>(
        &mut self,
        input: &mut Input<'_>,
        context: &mut Context<'_, S>,
    ) -> Interest {
        let unread = *input;
        match self.responses.head(input) {
            Found::More => Interest::Keep,
            Found::Nothing => {
                self.responses.lose_track(false);
                self.reject_response(unread.mark.acknowledged, context)
            }
            Found::Head(head) => {
                if let Some(head) = head::response(&head, self.responses.tolerance(&head)) {
                    return self.begin_response(head, Coverage::FULL, context);
                }
                self.responses.refuse_head(input, unread);
                self.responses.lose_track(false);
                self.reject_response(unread.mark.acknowledged, context)
            }
            Found::TooLong(head) => {
                context.counters.long_heads += 1;
                let mut head = head::response(&head, Tolerance::Understandable);
                if let Some(head) = &mut head {
                    note(&mut head.anomalies, Anomaly::HeadTooLong);
                }
                self.cut_response(head, Coverage::TRUNCATED, context);
                self.miss_responses(Doubt::Responses);
                Interest::Keep
            }
        }
    }

    /// Begins a response; `cut` says what is missing of its head.
    fn begin_response<S: FnMut(Observation)>(
        &mut self,
        mut head: ResponseHead,
        cut: Coverage,
        context: &mut Context<'_, S>,
    ) -> Interest {
        if self.responses.has_bare_lf() {
            note(&mut head.anomalies, Anomaly::BareLf);
        }
        if !self.meet_response(&head) {
            return self.take_back(context);
        }
        let start = self.responses.start();
        if is_interim(head.status) {
            self.interim.get_or_insert(start.time);
            self.responses.expect_head();
            self.requests.doubt_further(self.responses.position());
            return Interest::Keep;
        }
        context.counters.responses += 1;
        let started = self.interim.take().unwrap_or(start.time);
        let is_doubtful = self.responses.is_doubtful();
        let exchange = self.find_request(head.status == REQUEST_TIMEOUT, context);
        let client = exchange.client;
        let after = what_follows(exchange, &mut head);
        let is_tunnel = asks_for_another_protocol(exchange);
        exchange.coverage.add(cut);
        if is_doubtful {
            miss_before(exchange);
        }
        for anomaly in head.anomalies {
            note(&mut exchange.anomalies, anomaly);
        }
        exchange.response = Some(Response {
            started,
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: Body::default(),
            wire_bytes: 0,
        });
        self.decline_body();
        let framing = match after {
            After::Body(framing) => framing,
            After::Opaque => Framing::Length(0),
        };
        // Nobody asks what an answer said.
        self.responses.expect_body(framing, BodyPolicy::default(), client, context.allowance);
        if !cut.is_full() && framing != Framing::Length(0) {
            self.responses.expect_end();
        }
        if framing == Framing::Length(0) {
            self.end_response(true, 0, Coverage::FULL, context);
        }
        if after == After::Opaque {
            self.leave_http(is_tunnel, context);
            return Interest::Opaque;
        }
        Interest::Keep
    }

    /// Begins a response and ends it at once: of its head, only the start is there.
    fn cut_response<S: FnMut(Observation)>(
        &mut self,
        head: Option<ResponseHead>,
        coverage: Coverage,
        context: &mut Context<'_, S>,
    ) {
        let Some(head) = head.filter(|head| !is_interim(head.status)) else { return };
        self.begin_response(head, coverage, context);
        if let State::Body(_) = self.responses.state() {
            self.end_response(false, 0, coverage, context);
        }
    }

    /// The exchange whose response is being read.
    fn answered(&mut self) -> Option<&mut Exchange> {
        match &mut self.orphan {
            Some(orphan) => Some(orphan),
            None => self.queue.front_mut().map(|pending| &mut *pending.exchange),
        }
    }

    /// The exchange that the response just begun belongs to; one of its own when that is not known.
    fn find_request<S: FnMut(Observation)>(
        &mut self,
        unprompted: bool,
        context: &mut Context<'_, S>,
    ) -> &mut Exchange {
        if self.is_head_refused() {
            self.refuse_request(context);
        }
        let (unpaired, known) = match self.queue.choose(self.responses.start(), unprompted) {
            Choice::After(lost) => (lost, true),
            Choice::Unclear(candidates) => (candidates, false),
            Choice::Nobody => (0, false),
        };
        for _ in 0..unpaired {
            if let Some(mut pending) = self.queue.pop_front() {
                self.queue.mark_unpaired(&mut pending.exchange);
                emit(pending.exchange, context);
            }
        }
        if !known {
            context.counters.orphan_responses += 1;
            let mut orphan = self.exchange(context.proxies);
            let is_idle = self.requests.state() == State::Head && !self.requests.is_reading();
            if self.queue.may_lack_requests() {
                self.queue.mark_unpaired(&mut orphan);
            } else if is_idle && !unprompted {
                self.mark_unasked(&mut orphan);
            } else if self.requests.state() == State::Search
                && self.requests.position() > self.requests.message_end()
            {
                if self.requests.is_after_gap() {
                    miss_before(&mut orphan);
                } else {
                    note(&mut orphan.anomalies, Anomaly::UnrecognisedRequest);
                }
            }
            self.orphan = Some(orphan);
        }
        self.answered().expect("an orphan was just put there, or a request chosen")
    }
}

fn is_interim(status: u16) -> bool {
    const SWITCHING_PROTOCOLS: u16 = 101;
    (100..200).contains(&status) && status != SWITCHING_PROTOCOLS
}

/// RFC 9112, section 6.3, for the request that is answered, if it is known.
fn what_follows(exchange: &Exchange, head: &mut ResponseHead) -> After {
    let method = exchange.request.as_ref().map_or(&b""[..], |request| &request.method);
    let is_tunnel =
        head.status == 101 || (method == b"CONNECT" && matches!(head.status, 200..=299));
    if (is_tunnel || head.status == 204) && declares_body(&head.headers) {
        note(&mut head.anomalies, Anomaly::LengthWithoutBody);
    }
    match (method, head.status) {
        _ if is_tunnel => After::Opaque,
        (b"HEAD", _) | (_, 204 | 304) => After::Body(Framing::Length(0)),
        _ => After::Body(Framing::of_response(&head.headers, &mut head.anomalies)),
    }
}
