#!/bin/sh
# Makes secrets/, which kustomization.yaml turns into Secrets: the tokens and the passwords, each random. What is there
# stays, so it is safe to run again. Keep the folder as you keep other secrets; git ignores it.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
for name in gateway-tokens peer-token replica-password tap-password sys-password; do
  # A letter first: nats-server reads its passwords as a part of its configuration.
  [ -e "secrets/$name" ] || printf 'k%s' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" > "secrets/$name"
done
