"""Requests signed by the Python libraries of Slack and Twilio, as JSON on standard output."""

import json

from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator

SLACK_BODY = json.dumps({"type": "event_callback", "event_id": "Ev01", "event": {"type": "message"}})
CLOCK = 1_700_000_000
TOKEN = "twilio-auth-token"
FORM = [["CallSid", "CA12345"], ["Digits", "1234"], ["From", "+14158675309"], ["Tag", "b"], ["Tag", "a"]]


class Form(dict):
    """A form as web frameworks hand it over, where a name may have several values."""

    def __init__(self, fields):
        super().__init__(fields)
        self.fields = fields

    def getlist(self, name):
        return [value for key, value in self.fields if key == name]


def slack():
    secret = "slack-signing-secret"
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(CLOCK), body=SLACK_BODY)
    headers = {"X-Slack-Request-Timestamp": str(CLOCK), "X-Slack-Signature": signature}
    return vector("slack", "slack_sdk", secret, headers, SLACK_BODY, clock=CLOCK)


def twilio_form():
    url = "https://hooks.example.com/twilio?x=1"
    signature = RequestValidator(TOKEN).compute_signature(url, Form(FORM))
    return vector("twilio", "twilio, form", TOKEN, {"X-Twilio-Signature": signature}, FORM, url=url)


def twilio_json():
    body = json.dumps({"CallSid": "CA12345"})
    digest = RequestValidator(TOKEN).compute_hash(body)
    url = "https://hooks.example.com/twilio?bodySHA256=" + digest
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    return vector("twilio", "twilio, JSON", TOKEN, {"X-Twilio-Signature": signature}, body, url=url)


def vector(provider, source, secret, headers, body, **more):
    return {"provider": provider, "source": source, "secret": secret, "headers": headers, "body": body, **more}


print(json.dumps([slack(), twilio_form(), twilio_json()]))
