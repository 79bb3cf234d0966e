// Requests signed by the JavaScript libraries of Stripe, GitHub, Svix, Standard Webhooks and HubSpot,
// and by keys made here, beside those of a file; as JSON on standard output.
import { readFileSync } from "node:fs";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { crc32 } from "node:zlib";
import Stripe from "stripe";
import { sign as signGitHub } from "@octokit/webhooks-methods";
import { Webhook as Svix } from "svix";
import { Webhook as Standard } from "standardwebhooks";
import { Signature as HubSpot } from "@hubspot/api-client";

const clock = 1_700_000_000;
const time = new Date(clock * 1000);
const [pythonFile, keyFile, certificateFile] = process.argv.slice(2);
const vectors = JSON.parse(readFileSync(pythonFile));
const add = (provider, source, secret, headers, body, more = {}) =>
  vectors.push({ provider, source, secret, headers, body, ...more });

const stripeBody = JSON.stringify({ id: "evt_1", type: "charge.succeeded" });
const stripeSecret = "whsec_stripe";
const stripeHeader = new Stripe("sk_test_1").webhooks.generateTestHeaderString({
  payload: stripeBody,
  secret: stripeSecret,
  timestamp: clock,
});
add("stripe", "stripe", stripeSecret, { "Stripe-Signature": stripeHeader }, stripeBody, { clock });
const zeros = "0".repeat(64);
const several = stripeHeader.replace(",v1=", `,v1=${zeros},v0=${zeros},v1=`);
add("stripe", "stripe, several", stripeSecret, { "Stripe-Signature": several }, stripeBody, { clock });

const gitHubBody = JSON.stringify({ action: "opened", issue: { number: 1, title: "\u00e9" } });
add(
  "github",
  "@octokit/webhooks-methods",
  "github-secret",
  { "X-GitHub-Event": "issues", "X-Hub-Signature-256": await signGitHub("github-secret", gitHubBody) },
  gitHubBody,
);

const secret = "whsec_" + Buffer.from("0123456789abcdef0123456789abcdef").toString("base64");
const body = JSON.stringify({ type: "user.created", data: { id: 7 } });
add(
  "svix",
  "svix",
  secret,
  { "svix-id": "msg_1", "svix-timestamp": `${clock}`, "svix-signature": new Svix(secret).sign("msg_1", time, body) },
  body,
  { clock },
);
const standard = new Standard(secret).sign("msg_1", time, body);
const standardHeaders = (signature) => ({
  "webhook-id": "msg_1",
  "webhook-timestamp": `${clock}`,
  "webhook-signature": signature,
});
add("standard-webhooks", "standardwebhooks", secret, standardHeaders(standard), body, { clock });
add("standard-webhooks", "standardwebhooks, several", secret, standardHeaders(`v1,AAAA ${standard}`), body, { clock });
const gitLabHeaders = { "X-Gitlab-Event": "Push Hook", ...standardHeaders(standard) };
add("gitlab", "standardwebhooks, as GitLab", secret, gitLabHeaders, body, { clock });

const hook = "https://hooks.example.com/in?a=1";
const escaped = "https://hooks.example.com/in%3Bx?to=a%40b.example&q=%20%25";
const unescaped = "https://hooks.example.com/in;x?to=a@b.example&q=%20%25";
const hubSpot = (version, given) => HubSpot.getSignature(given.method ?? "POST", version, { clientSecret: "s", ...given });
for (const [version, method, requestBody] of [["v1", "POST", body], ["v2", "POST", body], ["v2", "GET", ""]]) {
  const signature = hubSpot(version, { method, requestBody, url: hook });
  const headers = { "X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": version };
  add("hubspot", `@hubspot/api-client, ${version} ${method}`, "s", headers, requestBody, { url: hook, method });
}
for (const [what, url, signed] of [["", hook, hook], [", decoded", escaped, unescaped], [", escaped", escaped, escaped]]) {
  const timestamp = clock * 1000;
  const headers = {
    "X-HubSpot-Request-Timestamp": `${timestamp}`,
    "X-HubSpot-Signature-v3": hubSpot("v3", { requestBody: body, url: signed, timestamp }),
  };
  add("hubspot", `@hubspot/api-client, v3${what}`, "s", headers, body, { url, clock });
}

// No library of these signs; the schemes are written out.
const base64 = (algorithm, key, text) => createHmac(algorithm, key).update(text).digest("base64");
const hex = (algorithm, key, text) => createHmac(algorithm, key).update(text).digest("hex");
const url = "https://hooks.example.com/in?a=1";
add("shopify", "node:crypto", "s", { "X-Shopify-Hmac-Sha256": base64("sha256", "s", body) }, body);
add("woocommerce", "node:crypto", "s", { "X-WC-Webhook-Signature": base64("sha256", "s", body) }, body);
add("square", "node:crypto", "s", { "x-square-hmacsha256-signature": base64("sha256", "s", url + body) }, body, { url });
add("linear", "node:crypto", "s", { "Linear-Signature": hex("sha256", "s", lined()) }, lined(), { clock });
add("sentry", "node:crypto", "s", { "Sentry-Hook-Signature": hex("sha256", "s", body) }, body);
add("vercel", "node:crypto", "s", { "x-vercel-signature": hex("sha1", "s", body) }, body);
add("typeform", "node:crypto", "s", { "Typeform-Signature": "sha256=" + base64("sha256", "s", body) }, body);
add("gitea", "node:crypto", "s", { "X-Gitea-Event": "push", "X-Gitea-Signature": hex("sha256", "s", body) }, body);
add("bitbucket", "node:crypto", "s", { "X-Hub-Signature": "sha256=" + hex("sha256", "s", body) }, body);
add("meta", "node:crypto", "s", { "X-Hub-Signature-256": "sha256=" + hex("sha256", "s", body) }, body);
add("pagerduty", "node:crypto", "s", { "X-PagerDuty-Signature": `v1=${zeros},v1=` + hex("sha256", "s", body) }, body);
add("paddle", "node:crypto", "s", { "Paddle-Signature": `ts=${clock};h1=` + hex("sha256", "s", `${clock}:${body}`) }, body, { clock });
add(
  "zoom",
  "node:crypto",
  "s",
  { "x-zm-request-timestamp": `${clock}`, "x-zm-signature": "v0=" + hex("sha256", "s", `v0:${clock}:${body}`) },
  body,
  { clock },
);
const sent = time.toISOString();
add(
  "twitch",
  "node:crypto",
  "s",
  {
    "Twitch-Eventsub-Message-Id": "m1",
    "Twitch-Eventsub-Message-Timestamp": sent,
    "Twitch-Eventsub-Message-Signature": "sha256=" + hex("sha256", "s", `m1${sent}${body}`),
  },
  body,
  { clock },
);

const pem = (key) => key.export({ type: "spki", format: "pem" });
const spki = (key) => key.export({ type: "spki", format: "der" });
const ed = generateKeyPairSync("ed25519");
const edRaw = spki(ed.publicKey).subarray(-32);
add(
  "discord",
  "node:crypto",
  edRaw.toString("hex"),
  {
    "X-Signature-Timestamp": `${clock}`,
    "X-Signature-Ed25519": sign(null, Buffer.from(`${clock}${body}`), ed.privateKey).toString("hex"),
  },
  body,
);
const edSignature = sign(null, Buffer.from(`msg_1.${clock}.${body}`), ed.privateKey).toString("base64");
const edKey = "whpk_" + edRaw.toString("base64");
add("standard-webhooks", "node:crypto, v1a", edKey, standardHeaders(`v1a,${edSignature}`), body, { clock });

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const events = JSON.stringify([{ event: "delivered", sg_event_id: "e1" }]) + "\r\n";
add(
  "sendgrid",
  "node:crypto",
  spki(ec.publicKey).toString("base64"),
  {
    "X-Twilio-Email-Event-Webhook-Timestamp": `${clock}`,
    "X-Twilio-Email-Event-Webhook-Signature": sign("sha256", Buffer.from(`${clock}${events}`), ec.privateKey).toString("base64"),
  },
  events,
);

const rsaKey = readFileSync(keyFile);
const certificate = readFileSync(certificateFile, "utf8");
const subscription = "WH-1";
const payPal = `t1|${sent}|${subscription}|${crc32(body)}`;
add(
  "paypal",
  "node:crypto, a certificate of openssl",
  certificate,
  {
    "PayPal-Transmission-Id": "t1",
    "PayPal-Transmission-Time": sent,
    "PayPal-Transmission-Sig": sign("sha256", Buffer.from(payPal), rsaKey).toString("base64"),
  },
  body,
  { subscription },
);
const notification = {
  Type: "Notification",
  MessageId: "m1",
  TopicArn: "arn:aws:sns:us-east-1:1:t",
  Subject: "a subject",
  Message: "two\nlines",
  Timestamp: sent,
};
const confirmation = {
  Type: "SubscriptionConfirmation",
  MessageId: "m2",
  Token: "t",
  TopicArn: "arn:aws:sns:us-east-1:1:t",
  Message: "confirm",
  SubscribeURL: "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
  Timestamp: sent,
};
for (const [version, algorithm] of [["1", "sha1"], ["2", "sha256"]]) {
  for (const message of [notification, confirmation]) {
    const names = Object.keys(message).sort();
    const text = names.map((name) => `${name}\n${message[name]}\n`).join("");
    const signature = sign(algorithm, Buffer.from(text), rsaKey).toString("base64");
    const signed = JSON.stringify({ ...message, SignatureVersion: version, Signature: signature });
    const headers = { "x-amz-sns-message-type": message.Type };
    add("aws-sns", `node:crypto, version ${version}`, certificate, headers, signed);
  }
}
process.stdout.write(JSON.stringify(vectors, null, 1) + "\n");

/** Linear puts the time into the body. */
function lined() {
  return JSON.stringify({ type: "Issue", webhookTimestamp: clock * 1000 });
}
