# The image of one replica. Build it with the commit that it is made from; `npm version` writes the version below.
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t metadata-center .
# Behind a proxy that shows its own certificates, give its authority too: --secret id=ca,src=/path/to/ca.pem
ARG NODE_IMAGE=node:26.10.0-trixie-slim

# What npm needs. Without scripts: `prepare` would compile, and the sources are not here yet.
FROM ${NODE_IMAGE} AS npm
WORKDIR /build
# Node warns where there is no such file, and goes on.
ENV NODE_EXTRA_CA_CERTS=/run/secrets/ca
COPY package.json package-lock.json ./

# Compiles, and stamps the version into package.json, where the service reads it for app_version_info.
FROM npm AS build
RUN --mount=type=secret,id=ca npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build
ARG VERSION=0.1.0
RUN npm version "$VERSION" --no-git-tag-version --allow-same-version --ignore-scripts

FROM npm AS production
RUN --mount=type=secret,id=ca npm ci --omit=dev --ignore-scripts --no-audit --no-fund

# Node and the libraries that it loads, the records of their packages, by which scanners know them, and their licences.
FROM ${NODE_IMAGE} AS root
COPY deploy/docker/make-root.sh /
RUN /make-root.sh /root-of-image

# Nothing else: no shell, no package manager, no perl.
FROM scratch
COPY --from=root /root-of-image /
ENV NODE_ENV=production PATH=/usr/local/bin
WORKDIR /app
COPY --from=production /build/node_modules ./node_modules
COPY --from=build /build/package.json ./package.json
COPY --from=build /build/dist ./dist
COPY deploy/docker/healthcheck.js ./healthcheck.js

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="metadata-center" \
      org.opencontainers.image.description="Live load of inference engines for AI gateways" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# The user `node`, by number, so that Kubernetes can tell that it is not root.
USER 1000:1000
# The API, and the diagnosis listener where DEBUG_PORT=8081 opens it.
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 CMD ["node", "/app/healthcheck.js"]
# No shell and no wrapper in between: node is process 1 and gets the signals.
ENTRYPOINT ["node", "--max-semi-space-size=32", "--v8-pool-size=0", "/app/dist/main.js"]
