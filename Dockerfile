# quire: the server and its pages, in one binary. docker build -t quire .

FROM node:20-bookworm-slim AS pages
WORKDIR /quire
COPY clients/typescript clients/typescript
COPY web web
RUN cd clients/typescript && npm ci --no-audit --no-fund
RUN cd web && npm ci --no-audit --no-fund && npm run build

FROM rust:1.95-slim-bookworm AS server
WORKDIR /quire
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends cmake g++ libssl-dev make pkg-config
COPY . .
COPY --from=pages /quire/web/dist web/dist
ARG FEATURES="kafka,s3,oidc"
RUN cargo build --locked --profile production --features "$FEATURES" && strip target/production/quire && \
    install -d -o 65532 -g 65532 -m 700 /out/data && install target/production/quire /out/quire

# The C library and certificates, no shell; its user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=server /out/quire /usr/local/bin/quire
COPY --from=server --chown=65532:65532 /out/data /data
USER 65532:65532
ENV QUIRE_LISTEN=0.0.0.0:8080 QUIRE_DATA=/data QUIRE_LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=30s --retries=3 CMD ["/usr/local/bin/quire", "health"]
ENTRYPOINT ["/usr/local/bin/quire"]
CMD ["serve"]
