#!/bin/sh
# Fetches the payloads that GitHub publishes (npm @octokit/webhooks-examples, MIT) into the folder
# given, and prints what to set so that the tests sign and verify each of them.
set -eu
cd "$1"
npm install --no-audit --no-fund --silent --no-save @octokit/webhooks-examples@7.6.1
echo "HOOKSENSOR_PAYLOADS=$PWD/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
