# A static binary, certificates and nothing else; not as root.
#
#   docker build -t kvsweep .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" -e CLOUDFLARE_API_TOKEN \
#       -e CLOUDFLARE_ACCOUNT_ID -e CLOUDFLARE_KV_NAMESPACE_ID kvsweep delete keys.csv --yes

# On Alpine the toolchain's own target is musl, whose binaries are static.
FROM rust:1.95-alpine AS build
# The C compiler's headers, for ring and zstd; the certificates, for the image.
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev gcc ca-certificates
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin kvsweep \
    && mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/licenses /image/data \
    && cp target/release/kvsweep /image/usr/local/bin/ \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp LICENSE-APACHE LICENSE-MIT /image/licenses/ \
    && echo 'kvsweep:x:65532:65532::/data:/sbin/nologin' >/image/etc/passwd \
    && echo 'kvsweep:x:65532:' >/image/etc/group \
    && chown 65532:65532 /image/data

FROM scratch
LABEL org.opencontainers.image.title="kvsweep" \
      org.opencontainers.image.description="Deletes keys from a Cloudflare Workers KV namespace in bulk" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /image /
ENV PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Reports are written here.
WORKDIR /data
USER 65532:65532
ENTRYPOINT ["kvsweep"]
