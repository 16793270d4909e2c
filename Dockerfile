# The service in an image that holds nothing else: the program, the libraries it is linked with, Mozilla's authorities.
# Not a slim Debian: no shell, no package manager and nothing to patch but this image itself; and its glibc is the very one
# that the program was built with. What is given up is a shell to look around with, and the embedded database, which needs one.

FROM rust:1.95-slim-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /precall
COPY . .
# The caches outlive the layer, so a change of source compiles our own crates only; the binary is copied out before they go.
# Our crates always, though: cargo goes by the time of a file, and another checkout's files may be older than the cache.
# Panics name their lines by debug information that is 80 MB as it comes and a quarter of that compressed.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/precall/target,sharing=locked \
    touch src/lib.rs src/main.rs actors/src/lib.rs crates/call/src/lib.rs crates/*/src/lib.rs \
    && cargo build --release --locked --no-default-features --bin precall \
    && install -D target/release/precall /image/usr/local/bin/precall \
    && objcopy --compress-debug-sections=zlib /image/usr/local/bin/precall
# The loader and the libraries under their own paths, whatever the processor; then the account and the folders it may write.
RUN ldd /image/usr/local/bin/precall | grep -o '/[^ ]*' | xargs -I '{}' cp --parents --dereference '{}' /image/ \
    && install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && echo 'precall:x:10001:10001::/nonexistent:/nonexistent' > /image/etc/passwd \
    && echo 'precall:x:10001:' > /image/etc/group \
    && install --directory --owner=10001 --group=10001 --mode=0750 \
        /image/data/voices /image/var/lib/precall/prompts /image/var/lib/precall/spool /image/var/log/mcp-services

FROM scratch
COPY --from=build /image/ /
# A number, so that anyone can see that it is not root without reading the image's passwd.
USER 10001:10001
# Everything else is configured from outside; see .env.example.
ENV LOG_FILE=/var/log/mcp-services/voiceclone.log
# All that is ever written: voice samples, prepared prompts, events while the database is away, the log. The root can be read-only.
VOLUME ["/data/voices", "/var/lib/precall/prompts", "/var/lib/precall/spool", "/var/log/mcp-services"]
EXPOSE 3006
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/local/bin/precall", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/precall"]
CMD ["serve"]
