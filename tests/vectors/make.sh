#!/bin/sh
# Makes signatures.json and verdicts.json anew: requests signed by the providers' own libraries, from their package
# registries, and where a provider has none that signs, by keys made here. Needs node, npm, python3
# and openssl; leaves nothing behind but the files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent \
    stripe@23.1.0 @octokit/webhooks-methods@6.0.0 svix@1.99.1 standardwebhooks@1.1.1 \
    @paddle/paddle-node-sdk@3.10.0 square@46.0.0 @sendgrid/eventwebhook@8.0.0 \
    discord-interactions@4.4.0 @hubspot/api-client@13.5.0 @linear/sdk@98.0.0 @slack/bolt@5.1.0 \
    twilio@6.2.0
python3 -m venv python
./python/bin/pip install --quiet slack_sdk==3.47.0 twilio==9.13.0
cp "$here/libraries.mjs" "$here/verdicts.mjs" .
./python/bin/python "$here/libraries.py" >python.json
openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 36500 \
    -subj /CN=vectors.example 2>/dev/null
node libraries.mjs python.json rsa.key rsa.pem >"$here/signatures.json"
node verdicts.mjs >"$here/verdicts.json"
