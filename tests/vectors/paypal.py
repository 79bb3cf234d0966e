"""What PayPal's own library says of requests signed with a key made for it, as JSON on standard output.

The library gets the certificate handed where it would fetch it, and takes its chain for good.
"""

import base64
import json
import sys
import zlib
from types import SimpleNamespace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from paypalrestsdk import WebhookEvent, notifications

KEY = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
CERTIFICATE, OTHER = (open(name).read() for name in sys.argv[2:])
SUBSCRIPTION = "1JE4291016473214C"
TIME = "2023-11-14T22:13:20Z"
BODY = '{"id":"WH-2WR","event_type":"PAYMENT.SALE.COMPLETED","summary":"é & 世"}'

WebhookEvent._verify_certificate_chain = classmethod(lambda cls, certificate: True)


def sign(transmission, time, subscription, body, algorithm=None):
    text = f"{transmission}|{time}|{subscription}|{zlib.crc32(body.encode())}"
    return base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), algorithm or hashes.SHA256())).decode()


def verdict(what, signature, transmission="69cd13f0", time=TIME, subscription=SUBSCRIPTION, body=BODY, secret=CERTIFICATE):
    notifications.requests.get = lambda url: SimpleNamespace(text=secret)
    accepted = WebhookEvent.verify(transmission, time, subscription, body, "https://api.paypal.com/cert", signature, "SHA256withRSA")
    headers = {
        "PayPal-Transmission-Id": transmission,
        "PayPal-Transmission-Time": time,
        "PayPal-Transmission-Sig": signature,
        "PayPal-Auth-Algo": "SHA256withRSA",
        "PayPal-Cert-Url": "https://api.paypal.com/cert",
    }
    return {
        "provider": "paypal", "what": what, "secret": secret, "headers": headers, "body": body,
        "accepted": accepted, "clock": 1_700_000_000, "subscription": subscription,
    }


def verdicts():
    good = sign("69cd13f0", TIME, SUBSCRIPTION, BODY)
    yield verdict("as made", good)
    yield verdict("another certificate", good, secret=OTHER)
    yield verdict("another identifier", good, transmission="69cd13f1")
    yield verdict("another time", good, time="2023-11-14T22:13:21Z")
    yield verdict("another subscription", good, subscription="1JE4291016473214D")
    for body in [BODY + "\n", BODY[1:], BODY.replace("SALE", "SALF"), ""]:
        yield verdict("another body", good, body=body)
    for body in ["", "{}", "\r\n"]:
        yield verdict("a short body", sign("69cd13f0", TIME, SUBSCRIPTION, body), body=body)
    yield verdict("SHA-1", sign("69cd13f0", TIME, SUBSCRIPTION, BODY, hashes.SHA1()))
    yield verdict("a changed digit", ("B" if good[0] == "A" else "A") + good[1:])
    yield verdict("empty", "")
    yield verdict("cut by a digit", good[:-1])


out = sys.stdout
sys.stdout = sys.stderr
found = list(verdicts())
out.write(json.dumps(found) + "\n")
