# An image that holds the program, the libraries it is linked with and Mozilla's certificate authorities, no more.
# It is built from nothing and not from a slim Debian: there is no shell and no package manager, and nothing to patch
# but this image. Its glibc is the one that the program was built with. It has no simulators, no demo and no embedded
# database.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /precall
COPY . .
# The caches outlive the layer, so that a change of source compiles our own crates only. The binary is copied out
# of the cache before the layer ends. Our crates are always compiled: cargo compares the times of files, and the files
# of another checkout may be older than the cache.
# The debug information leaves the binary: it is three quarters of it. The stage `debug-info` below has it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/precall/target,sharing=locked \
    find . -name target -prune -o -path '*/src/*' -name '*.rs' -exec touch '{}' + \
    && cargo build --release --locked --no-default-features --bin precall \
    && install -D target/release/precall /image/usr/local/bin/precall \
    && scripts/split-debug-info /image/usr/local/bin/precall \
    && install -D --mode=0644 /image/usr/local/bin/precall.debug /debug-info/precall.debug \
    && rm /image/usr/local/bin/precall.debug
# The loader and the libraries under their own paths, on any processor. Then the account and the folders that it
# may write to.
RUN ldd /image/usr/local/bin/precall | grep -o '/[^ ]*' | xargs -I '{}' cp --parents --dereference '{}' /image/ \
    && install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
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

FROM scratch
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
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/local/bin/precall", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/precall"]
CMD ["serve"]
