#!/bin/sh
# Wraps alerts.yaml, and that of the NATS cluster, into a prometheus-rule.yaml beside it, for the Prometheus operator:
# kustomize cannot. Run it after a change of the alerts; a test compares them.
set -eu
cd "$(dirname "$0")"

wrap() {
  {
    cat <<HEAD
# Made from alerts.yaml by make-prometheus-rule.sh: change it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: $2
  labels:
    app.kubernetes.io/name: metadata-center
    # By this kube-prometheus-stack finds it: the name of its Helm release.
    release: kube-prometheus-stack
spec:
HEAD
    sed -n '/^groups:/,$ { s/^\(.\)/  \1/; p; }' "$1/alerts.yaml"
  } > "$1/prometheus-rule.yaml"
}
wrap . metadata-center
wrap ../nats/cluster/alerts metadata-center-nats
