// What the providers' own libraries say of requests that are signed well, and of others that are
// not quite: each request with its verdict, after those of the files given, as JSON on standard
// output.
import { createHash, createHmac, createPrivateKey, createPublicKey, createSign, generateKeyPairSync, sign } from "node:crypto";
import Stripe from "stripe";
import { verify as verifyGitHub } from "@octokit/webhooks-methods";
import { Webhook as Svix } from "svix";
import { Webhook as Standard } from "standardwebhooks";
import { Paddle } from "@paddle/paddle-node-sdk";
import { WebhooksHelper as Square } from "square";
import { EventWebhook as SendGrid } from "@sendgrid/eventwebhook";
import { verifyKey as verifyDiscord } from "discord-interactions";
import { Signature as HubSpot } from "@hubspot/api-client";
import { LinearWebhookClient as Linear } from "@linear/sdk/webhooks";
import bolt from "@slack/bolt/dist/receivers/verify-request.js";
import twilio from "twilio";
import { readFileSync } from "node:fs";

const clock = 1_700_000_000;
globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length === 0 ? [clock * 1000] : given));
  }

  static now() {
    return clock * 1000;
  }
};
const url = "https://hooks.example.com/in?b=2&a=1";
const body = JSON.stringify({ type: "a.b", text: "\u00e9 & \u4e16", webhookTimestamp: clock * 1000 });
const verdicts = process.argv.slice(2).flatMap((file) => JSON.parse(readFileSync(file)));

const hmac = (algorithm, key, encoding, ...parts) => {
  const mac = createHmac(algorithm, key);
  parts.forEach((part) => mac.update(part));
  return mac.digest(encoding);
};

/** Adds a request of which `accept` says whether it is genuine; an exception is a no. */
async function add(provider, what, secret, headers, content, accept, more = {}) {
  let accepted = false;
  try {
    accepted = (await accept()) !== false;
  } catch {
    // A library that throws does not accept.
  }
  verdicts.push({ provider, what, secret, headers, body: content, accepted, clock, ...more });
}

/** The ways in which a signature of hexadecimal or base64 digits may differ from what was made. */
function* spellings(signature) {
  yield ["as made", signature];
  yield ["upper case", signature.toUpperCase()];
  yield ["cut by a digit", signature.slice(0, -1)];
  yield ["cut by two digits", signature.slice(0, -2)];
  yield ["with a digit more", signature + "a"];
  yield ["empty", ""];
  yield ["without padding", signature.replace(/=+$/, "")];
  yield ["in the alphabet of URLs", signature.replaceAll("+", "-").replaceAll("/", "_")];
  yield ["of a changed digit", (signature[0] === "0" ? "1" : "0") + signature.slice(1)];
}

/**
 * Adds every variation of a request: of the signature, the prefix, the body, the secret, the time.
 * `make` writes headers for a signature and a time, `sign` makes one, `accept` is the library.
 */
async function vary(provider, { secret, other, prefixes = [""], times = [], more, sign, make, accept }) {
  const try_ = async (what, key, headers, content) => {
    const judge = () => accept(headers, content, key);
    await add(provider, what, key, headers, content, judge, more);
  };
  const good = sign(secret, body, clock);
  for (const prefix of prefixes) {
    for (const [what, signature] of spellings(good)) {
      if (signature === good && what !== "as made") continue;
      await try_(`${what}, after "${prefix}"`, secret, make(prefix + signature, clock), body);
    }
  }
  const whole = (signature, time) => make(prefixes[0] + signature, time);
  await try_("another secret", other, whole(good, clock), body);
  for (const changed of [body + "\n", body.slice(1), body.replace("\u00e9", "e\u0301"), ""]) {
    await try_("another body", secret, whole(good, clock), changed);
  }
  for (const late of times) {
    const time = clock - late;
    await try_(`signed ${late} s before`, secret, whole(sign(secret, body, time), time), body);
    await try_(`said to be signed ${late} s before`, secret, whole(good, time), body);
  }
}

await vary("github", {
  secret: "s", other: "t", prefixes: ["sha256=", "", "SHA256=", "sha1="],
  sign: (key, text) => hmac("sha256", key, "hex", text),
  make: (signature) => ({ "X-GitHub-Event": "push", "X-Hub-Signature-256": signature }),
  accept: (headers, text, key) => verifyGitHub(key, text, headers["X-Hub-Signature-256"]),
});

await vary("slack", {
  secret: "s", other: "t", prefixes: ["v0=", "", "v1="], times: [1, 299, 301],
  sign: (key, text, time) => hmac("sha256", key, "hex", `v0:${time}:${text}`),
  make: (signature, time) => ({ "X-Slack-Request-Timestamp": `${time}`, "X-Slack-Signature": signature }),
  accept: (headers, text, key) =>
    bolt.isValidSlackRequest({
      signingSecret: key,
      body: text,
      headers: {
        "x-slack-request-timestamp": Number(headers["X-Slack-Request-Timestamp"]),
        "x-slack-signature": headers["X-Slack-Signature"],
      },
    }),
});

const zeros = "0".repeat(64);
await vary("stripe", {
  secret: "whsec_s", other: "whsec_t", times: [1, 299, 301],
  prefixes: ["v1=", "", "V1=", "v0=", `v1=${zeros},v1=`, `v0=${zeros},v1=`],
  sign: (key, text, time) => hmac("sha256", key, "hex", `${time}.${text}`),
  make: (signature, time) => ({ "Stripe-Signature": `t=${time},${signature}` }),
  accept: (headers, text, key) =>
    new Stripe("sk").webhooks.constructEvent(text, headers["Stripe-Signature"], key, 300, undefined, clock * 1000),
});

const keyOf = (letter) => "whsec_" + Buffer.from(letter.repeat(32)).toString("base64");
const decoded = (key) => Buffer.from(key.slice("whsec_".length), "base64");
for (const [provider, Library, name] of [["svix", Svix, "svix"], ["standard-webhooks", Standard, "webhook"]]) {
  await vary(provider, {
    secret: keyOf("s"), other: keyOf("t"), times: [1, 299, 301, -299, -301],
    prefixes: ["v1,", "", "v2,", "v1,AAAA v1,", "v1a,AAAA v1,"],
    sign: (key, text, time) => hmac("sha256", decoded(key), "base64", `m.${time}.${text}`),
    make: (signature, time) => ({
      [`${name}-id`]: "m", [`${name}-timestamp`]: `${time}`, [`${name}-signature`]: signature,
    }),
    accept: (headers, text, key) => void new Library(key).verify(text, headers),
  });
}

await vary("paddle", {
  secret: "s", other: "t", prefixes: [""], times: [1, 4],
  sign: (key, text, time) => hmac("sha256", key, "hex", `${time}:${text}`),
  make: (signature, time) => ({ "Paddle-Signature": `ts=${time};h1=${signature}` }),
  accept: (headers, text, key) => new Paddle("key").webhooks.isSignatureValid(text, key, headers["Paddle-Signature"]),
});

await vary("square", {
  secret: "s", other: "t", more: { url },
  sign: (key, text) => hmac("sha256", key, "base64", url, text),
  make: (signature) => ({ "X-Square-HmacSha256-Signature": signature }),
  accept: (headers, text, key) =>
    Square.verifySignature({
      requestBody: text,
      signatureHeader: headers["X-Square-HmacSha256-Signature"],
      signatureKey: key,
      notificationUrl: url,
    }),
});

await vary("hubspot", {
  secret: "s", other: "t", times: [1, 299, 301], more: { url },
  sign: (key, text, time) => hmac("sha256", key, "base64", `POST${url}${text}${time}000`),
  make: (signature, time) => ({
    "X-HubSpot-Request-Timestamp": `${time}000`, "X-HubSpot-Signature-v3": signature,
  }),
  accept: (headers, text, key) =>
    HubSpot.isValid({
      signatureVersion: "v3",
      signature: headers["X-HubSpot-Signature-v3"],
      method: "POST",
      clientSecret: key,
      requestBody: text,
      url,
      timestamp: Number(headers["X-HubSpot-Request-Timestamp"]),
    }),
});

for (const version of ["v1", "v2"]) {
  const source = (text) => (version === "v1" ? text : `POST${url}${text}`);
  await vary("hubspot", {
    secret: "s", other: "t", more: { url },
    sign: (key, text) => createHash("sha256").update(key + source(text)).digest("hex"),
    make: (signature) => ({ "X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": version }),
    accept: (headers, text, key) =>
      HubSpot.isValid({
        signatureVersion: version,
        signature: headers["X-HubSpot-Signature"],
        clientSecret: key,
        requestBody: text,
        url,
      }),
  });
}

await vary("linear", {
  secret: "s", other: "t",
  sign: (key, text) => hmac("sha256", key, "hex", text),
  make: (signature) => ({ "Linear-Event": "Issue", "Linear-Signature": signature }),
  accept: (headers, text, key) =>
    new Linear(key).verify(Buffer.from(text), headers["Linear-Signature"], clock * 1000),
});

const spki = (pair) => pair.publicKey.export({ type: "spki", format: "der" });
/** Ed25519 signs the same alike (RFC 8032), and what a cut signature is to a library shall not change. */
const edPair = (letter) => {
  const start = Buffer.from("302e020100300506032b657004220420", "hex");
  const key = Buffer.concat([start, Buffer.from(letter.repeat(32))]);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
};
const [ed, otherEd] = [edPair("s"), edPair("t")];
const raw = (pair) => spki(pair).subarray(-32).toString("hex");
await vary("discord", {
  secret: raw(ed), other: raw(otherEd), times: [1],
  sign: (_, text, time) => sign(null, Buffer.from(`${time}${text}`), ed.privateKey).toString("hex"),
  make: (signature, time) => ({ "X-Signature-Timestamp": `${time}`, "X-Signature-Ed25519": signature }),
  accept: (headers, text, key) =>
    verifyDiscord(text, headers["X-Signature-Ed25519"], headers["X-Signature-Timestamp"], key),
});

const curve = { namedCurve: "P-256" };
const [ec, otherEc] = [generateKeyPairSync("ec", curve), generateKeyPairSync("ec", curve)];
await vary("sendgrid", {
  secret: spki(ec).toString("base64"), other: spki(otherEc).toString("base64"), times: [1],
  // What a spelling is to a library hangs on the length, which is 70 octets of each fourth.
  sign: (_, text, time) => {
    for (;;) {
      const signature = createSign("sha256").update(`${time}${text}`).sign(ec.privateKey, "base64");
      if (signature.endsWith("==") && /[+/]/.test(signature)) return signature;
    }
  },
  make: (signature, time) => ({
    "X-Twilio-Email-Event-Webhook-Timestamp": `${time}`,
    "X-Twilio-Email-Event-Webhook-Signature": signature,
  }),
  accept: (headers, text, key) => {
    const library = new SendGrid();
    const [time, signature] = ["Timestamp", "Signature"].map((name) => headers[`X-Twilio-Email-Event-Webhook-${name}`]);
    return library.verifySignature(library.convertPublicKeyToECDSA(key), text, signature, time);
  },
});

/** A form as its fields in the order sent, with the object that a framework makes of it. */
const forms = [
  [["Body", "a b&c=d+e"], ["From", "+14158675309"]],
  [["Tag", "b"], ["Tag", "a"], ["Tag", "b"], ["Empty", ""]],
  [["b", "\u00e9"], ["B", "1"], ["a_", "2"], ["a", "\n"]],
  [],
];
for (const fields of forms) {
  const parameters = {};
  for (const [name, value] of fields) {
    const known = parameters[name];
    parameters[name] = known === undefined ? value : [known, value].flat();
  }
  for (const at of [
    "https://hooks.example.com/in?b=2&a=1",
    "https://hooks.example.com:443/in",
    "https://hooks.example.com:8443/in?x=%20y",
    "http://hooks.example.com:80",
    "https://user:pass@hooks.example.com/in",
  ]) {
    const content = fields.map((field) => field.map(encodeURIComponent).join("=")).join("&");
    const signature = twilio.getExpectedTwilioSignature("s", at, parameters);
    const headers = { "X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded" };
    for (const [what, seen] of [["the URL signed", at], ["without a port", at.replace(/:\d+(?=\/|$)/, "")], ["another query", at + "&z=1"]]) {
      await add("twilio", what, "s", headers, content, () => twilio.validateRequest("s", signature, seen, parameters), { url: seen });
    }
    await add("twilio", "another secret", "t", headers, content, () => twilio.validateRequest("t", signature, at, parameters), { url: at });
  }
}
const digest = twilio.getExpectedBodyHash(body);
for (const [what, query] of [
  ["JSON", `bodySHA256=${digest}`],
  ["JSON, the hash after another field", `a=1&bodySHA256=${digest}`],
  ["JSON, the hash before another field", `bodySHA256=${digest}&b=2`],
  ["JSON, another hash", `bodySHA256=${zeros}`],
  ["JSON, the hash in upper case", `bodySHA256=${digest.toUpperCase()}`],
]) {
  const at = `https://hooks.example.com/in?${query}`;
  const signature = twilio.getExpectedTwilioSignature("s", at, {});
  const headers = { "X-Twilio-Signature": signature, "Content-Type": "application/json" };
  for (const content of [body, body + " "]) {
    await add("twilio", what, "s", headers, content, () => twilio.validateRequestWithBody("s", signature, at, content), { url: at });
  }
}
process.stdout.write(`[\n${verdicts.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
