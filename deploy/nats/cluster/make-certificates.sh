#!/bin/sh
# Makes an authority and one certificate for all servers of the cluster, for whoever has no cert-manager:
#   make-certificates.sh FOLDER NAME…      such as: make-certificates.sh tls nats-0.nats nats-1.nats nats-2.nats
# The folder gets tls.crt, tls.key and ca.crt, as a Secret would hold them, and ca.key. Keep ca.key elsewhere: who has it
# can join the cluster. Valid for a year; make them again before that.
set -eu
umask 077
folder=$1
shift
mkdir -p "$folder"
cd "$folder"
names=$(printf ',DNS:%s' "$@")
curve='ec -pkeyopt ec_paramgen_curve:P-256'
[ -e ca.key ] || openssl req -x509 -newkey $curve -nodes -days 3650 -subj '/CN=metadata-center NATS' \
  -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey $curve -nodes -subj "/CN=$1" -keyout tls.key -out tls.csr 2>/dev/null
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "${names#,}" > tls.ext
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile tls.ext -out tls.crt 2>/dev/null
rm -f tls.csr tls.ext ca.srl
