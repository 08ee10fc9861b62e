#!/bin/sh
# Wraps alerts.yaml into prometheus-rule.yaml, for the Prometheus operator: kustomize cannot. Run it after a change of
# the alerts; a test compares the two.
set -eu
cd "$(dirname "$0")"
{
  cat <<'HEAD'
# Made from alerts.yaml by make-prometheus-rule.sh: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: metadata-center
  labels:
    app.kubernetes.io/name: metadata-center
spec:
HEAD
  sed -n '/^groups:/,$ { s/^\(.\)/  \1/; p; }' alerts.yaml
} > prometheus-rule.yaml
