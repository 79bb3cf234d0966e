#!/bin/sh
# Makes signatures.json and verdicts.json anew: requests signed and judged by the providers' own
# libraries, from their package registries, and where a provider has none that signs, by keys made
# here. Needs node, npm, python3 and openssl; leaves nothing behind but the files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent \
    stripe@23.1.0 @octokit/webhooks-methods@6.0.0 svix@1.99.1 standardwebhooks@1.1.1 \
    @paddle/paddle-node-sdk@3.10.0 square@46.0.0 @sendgrid/eventwebhook@8.0.0 \
    discord-interactions@4.4.0 @hubspot/api-client@13.5.0 @linear/sdk@98.0.0 @slack/bolt@5.1.0 \
    twilio@6.2.0 sns-validator@0.3.5 sns-payload-validator@2.1.0
python3 -m venv python
./python/bin/pip install --quiet slack_sdk==3.47.0 twilio==9.13.0 paypalrestsdk==1.13.3 \
    pyOpenSSL==23.3.0 cryptography==41.0.7
cp "$here"/*.mjs .
./python/bin/python "$here/libraries.py" >python.json
# PayPal's library wants its name in the certificate.
for name in rsa other; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout $name.key -out $name.pem -days 36500 \
        -subj /CN=$name.paypal.com 2>/dev/null
done
./python/bin/python "$here/paypal.py" rsa.key rsa.pem other.pem >paypal.json 2>said
node sns.mjs rsa.key rsa.pem other.pem >sns.json
node libraries.mjs python.json rsa.key rsa.pem >signatures.json
node verdicts.mjs paypal.json sns.json >verdicts.json
# Only when all of it went well.
mv signatures.json verdicts.json "$here"
