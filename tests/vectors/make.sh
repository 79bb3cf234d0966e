#!/bin/sh
# Makes signatures.json anew: requests signed by the providers' own libraries, from their package
# registries, and where a provider has none that signs, by keys made here. Needs node, npm, python3
# and openssl; leaves nothing behind but the file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent \
    stripe@23.1.0 @octokit/webhooks-methods@6.0.0 svix@1.99.1 standardwebhooks@1.1.1
python3 -m venv python
./python/bin/pip install --quiet slack_sdk==3.47.0 twilio==9.13.0
cp "$here/libraries.mjs" .
./python/bin/python "$here/libraries.py" >python.json
openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.pem -days 36500 \
    -subj /CN=vectors.example 2>/dev/null
node libraries.mjs python.json rsa.key rsa.pem >"$here/signatures.json"
