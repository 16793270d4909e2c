# An image that holds the program, the libraries it is linked with and Mozilla's certificate authorities, no more.
# It is built from nothing and not from a slim Debian: there is no shell and no package manager, and nothing to patch
# but this image. Its glibc is the one that the program was built with. It has no simulators, no demo and no embedded
# database.
#
# Targets: `precall` (the default), `simulators` (to try precall without accounts), `debug-info` (for a debugger).

# Pin it to what you have checked: `--build-arg RUST_IMAGE=rust@sha256:...`. A digest stands here once it was pulled and
# checked by those who release. Not the slim image: it has no `make`, which jemalloc is built with.
ARG RUST_IMAGE=rust:1.95-bookworm

FROM ${RUST_IMAGE} AS chef
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# It makes a recipe of the manifests alone, so that the dependencies have a layer of their own.
# Without optimisation: the tool runs for a second, and is built in a third of the time.
RUN cargo install --quiet --locked --debug cargo-chef@0.1.78
WORKDIR /precall

FROM chef AS plan
COPY . .
# With the time of 1970: a recipe with the same content is the same file, and the layers that use it stay.
RUN cargo chef prepare --recipe-path /recipe.json && touch --date=@0 /recipe.json

# Every crate that is not ours, compiled. Only a change of a manifest or of Cargo.lock builds this layer again. It needs
# no cache mount, so each builder and each registry cache can keep it.
FROM chef AS dependencies
COPY --from=plan /recipe.json /recipe.json
RUN cargo chef cook --release --locked --no-default-features --bin precall --recipe-path /recipe.json

FROM dependencies AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY . .
# The debug information leaves the binary: it is three quarters of it. The stage `debug-info` below has it.
# The loader and the libraries go under their own paths, on any processor.
RUN cargo build --release --locked --no-default-features --bin precall \
    && install -D target/release/precall /image/usr/local/bin/precall \
    && rm -r target \
    && scripts/split-debug-info /image/usr/local/bin/precall \
    && install -D --mode=0644 /image/usr/local/bin/precall.debug /debug-info/precall.debug \
    && rm /image/usr/local/bin/precall.debug \
    && ldd /image/usr/local/bin/precall | grep -o '/[^ ]*' | xargs -I '{}' cp --parents --dereference '{}' /image/

# The simulators are a program of their own, so precall is not compiled twice by those who try it with them.
FROM dependencies AS dependencies-simulators
RUN cargo chef cook --release --locked --package precall-simulators --recipe-path /recipe.json

FROM dependencies-simulators AS build-simulators
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY . .
RUN cargo build --release --locked --package precall-simulators \
    && install -D --strip target/release/precall-simulators /image/usr/local/bin/precall-simulators \
    && rm -r target \
    && ldd /image/usr/local/bin/precall-simulators | grep -o '/[^ ]*' \
        | xargs -I '{}' cp --parents --dereference '{}' /image/

# What both images have besides the program: certificate authorities, the account, and the folders that precall writes
# to.
FROM ${RUST_IMAGE} AS root
RUN install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && echo 'precall:x:10001:10001::/nonexistent:/nonexistent' > /image/etc/passwd \
    && echo 'precall:x:10001:' > /image/etc/group \
    && install --directory --owner=10001 --group=10001 --mode=0750 \
        /image/data/voices /image/var/lib/precall/prompts /image/var/lib/precall/spool \
        /image/var/lib/precall/ledger /image/var/log/mcp-services

# `docker build --target debug-info --output . .` writes precall.debug. A debugger, or a backtrace of a program
# beside which it lies, then names files and lines.
FROM scratch AS debug-info
COPY --from=build /debug-info/ /

# `docker build --target simulators --tag precall-simulators .`: ElevenLabs, 3CX and callers, simulated.
FROM scratch AS simulators
COPY --from=root /image/etc/ /etc/
COPY --from=build-simulators /image/ /
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/precall-simulators"]
CMD ["--help"]

# The last stage: what is built when no target is named.
FROM scratch AS precall
COPY --from=root /image/ /
COPY --from=build /image/ /
# A number: an orchestrator can see that it is not root without reading the image's passwd.
USER 10001:10001
# All other settings come from outside; see .env.example.
ENV LOG_FILE=/var/log/mcp-services/voiceclone.log
ENV ERASURE_LEDGER=/var/lib/precall/ledger/erasures.jsonl
# precall writes nowhere else: voice samples, prepared prompts, events while the database is away, the ledger of
# erasures, the log. The root file system can be read-only. src/config/writable_paths.rs has the list.
VOLUME ["/data/voices", "/var/lib/precall/prompts", "/var/lib/precall/spool", "/var/lib/precall/ledger", \
    "/var/log/mcp-services"]
EXPOSE 3006
# SIGTERM drains. An image cannot set how long the engine waits before it kills: give it 15 s more than
# DRAIN_TIMEOUT_SECONDS, `docker run --stop-timeout 45` (compose.yaml does). The engine's own 10 s are too few.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/local/bin/precall", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/precall"]
CMD ["serve"]
