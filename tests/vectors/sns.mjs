// What AWS's own library and another say of messages of Amazon SNS, signed with a key made for it:
// each with its verdict, as JSON on standard output. The libraries get the certificate handed where
// they would fetch it.
import { createPrivateKey, sign } from "node:crypto";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import SnsValidator from "sns-validator";
import SnsPayloadValidator from "sns-payload-validator";

const [keyFile, certificateFile, otherFile] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(keyFile));
const [certificate, other] = [certificateFile, otherFile].map((file) => readFileSync(file, "utf8"));

let served = certificate;
https.get = (_, ...rest) => {
  const response = Object.assign(new EventEmitter(), { statusCode: 200 });
  rest.at(-1)(response);
  queueMicrotask(() => {
    response.emit("data", served);
    response.emit("end");
  });
  return new EventEmitter();
};

const libraries = {
  "sns-payload-validator": (text) => new SnsPayloadValidator({ useCache: false }).validate(text),
  // It keeps certificates by their URL, so that each message names one of its own.
  "sns-validator": (text) =>
    new Promise((accept, refuse) =>
      new SnsValidator().validate(text, (error) => (error ? refuse(error) : accept())),
    ),
};

const common = {
  MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  TopicArn: "arn:aws:sns:us-west-2:123456789012:topic",
  Timestamp: "2023-11-14T22:13:20.000Z",
};
const url = "https://sns.us-west-2.amazonaws.com/?Action=";
const notification = { Type: "Notification", ...common, Message: "two\nlines, \u00e9 & \ud83d\ude00" };
const control = (Type) => ({ Type, ...common, Token: "2336", Message: "a control", SubscribeURL: `${url}ConfirmSubscription` });
const messages = {
  Notification: { ...notification, UnsubscribeURL: `${url}Unsubscribe` },
  "Notification with a subject": { ...notification, Subject: "a subject" },
  "Notification with an empty subject": { ...notification, Subject: "" },
  "Notification with a null subject": { ...notification, Subject: null },
  SubscriptionConfirmation: control("SubscriptionConfirmation"),
  UnsubscribeConfirmation: control("UnsubscribeConfirmation"),
};

/** What is signed of a message, as AWS documents it. */
function source(message) {
  const last = message.Type === "Notification" ? ["Subject"] : ["SubscribeURL", "Token"];
  const names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type", ...last].sort();
  const isThere = (name) => (message[name] ?? null) !== null;
  return names.filter(isThere).map((name) => `${name}\n${message[name]}\n`).join("");
}

const verdicts = [];
let number = 0;
async function add(what, message, secret = certificate) {
  served = secret;
  number += 1;
  const name = `SimpleNotificationService-${String(number).padStart(32, "0")}.pem`;
  const body = JSON.stringify({ ...message, SigningCertURL: `https://sns.us-west-2.amazonaws.com/${name}` });
  const headers = { "x-amz-sns-message-type": message.Type };
  const push = (name, accepted) =>
    verdicts.push({ provider: "aws-sns", what: name, secret, headers, body, accepted, clock: 1_700_000_000 });
  const said = {};
  for (const [library, judge] of Object.entries(libraries)) {
    said[library] = await judge(body).then(() => true, () => false);
  }
  // One line where they agree, and one for each where not.
  const [first, second] = Object.values(said);
  if (first === second) push(what, first);
  else Object.entries(said).forEach(([library, accepted]) => push(`${what}, by ${library}`, accepted));
}

const changed = (text) => (text ?? "").replace(/^./su, (first) => (first === "x" ? "y" : "x")) || "x";
for (const [SignatureVersion, algorithm] of [["1", "sha1"], ["2", "sha256"]]) {
  for (const [kind, message] of Object.entries(messages)) {
    const what = `${kind}, version ${SignatureVersion}`;
    const Signature = sign(algorithm, Buffer.from(source(message)), key).toString("base64");
    const signed = { ...message, SignatureVersion, Signature };
    await add(`${what}, as made`, signed);
    await add(`${what}, another certificate`, signed, other);
    await add(`${what}, of the other version`, { ...signed, SignatureVersion: SignatureVersion === "1" ? "2" : "1" });
    await add(`${what}, of a later version`, { ...signed, SignatureVersion: "3" });
    if (/empty|null/.test(kind)) continue;
    for (const name of ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "UnsubscribeURL"]) {
      if (name in message) await add(`${what}, ${name} changed`, { ...signed, [name]: changed(message[name]) });
    }
    await add(`${what}, the signature changed`, { ...signed, Signature: changed(Signature) });
  }
}
process.stdout.write(JSON.stringify(verdicts) + "\n");
