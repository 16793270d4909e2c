"""Webhooks, an event stream and a WebSocket through the reverse proxy: PORT CERTIFICATE 3CX-SECRET REPORT-SECRET
CALLER.

The API key comes by standard input. A call is live. The last line of output says what was seen.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import sys
import time

PORT, CERTIFICATE, PBX_SECRET, REPORT_SECRET, CALLER = int(sys.argv[1]), *sys.argv[2:6]
KEY = {"X-API-Key": sys.stdin.readline().strip()}
TRUST = ssl.create_default_context(cafile=CERTIFICATE)


def connected(patience=20):
    return http.client.HTTPSConnection("localhost", PORT, timeout=patience, context=TRUST)


def ask(method, path, body=None, headers=None):
    connection = connected()
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def expect(what, seen, wanted):
    if seen != wanted:
        sys.exit(f"{what}: {seen!r}, not {wanted!r}")


def signature(secret, body):
    now = str(int(time.time()))
    tag = hmac.new(secret.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={now},v0={tag}"


def webhooks():
    body = json.dumps({"event_type": "CallStateChanged", "call_id": "through-the-proxy"}).encode()
    header = {"X-3CX-Signature": signature(PBX_SECRET, body)}
    expect("a signed webhook", ask("POST", "/webhook/3cx", body, header)[0], 200)
    expect("a changed webhook", ask("POST", "/webhook/3cx", body + b" ", header)[0], 401)
    expect("a token in the path", ask("POST", "/webhook/3cx/some-token", body)[0], 401)


def recording():
    """A report with audio, larger than nginx takes by default, in chunks: it is not kept before it is passed on."""
    audio = base64.b64encode(os.urandom(18 << 20)).decode()
    data = {"agent_id": "agent_simulated", "conversation_id": "conv_of_nobody", "full_audio": audio}
    body = json.dumps({"type": "post_call_audio", "event_timestamp": int(time.time()), "data": data}).encode()
    header = {"ElevenLabs-Signature": signature(REPORT_SECRET, body)}
    pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
    status, said = ask("POST", "/webhook/elevenlabs/postcall", pieces, header)
    expect(f"a recording ({said[:200]!r})", status, 200)
    return len(body) >> 20


def events():
    """A comment comes every 5 s. A proxy that keeps answers back would let it wait for more."""
    connection = connected(9)
    began = time.monotonic()
    connection.request("GET", "/api/v1/live/stream", headers=KEY)
    answer = connection.getresponse()
    expect("the stream", answer.status, 200)
    seen = set()
    while {"event: snapshot", "event: beat", "event: change"} - seen and time.monotonic() - began < 9:
        seen.add(answer.fp.readline().decode().strip())
    expect("a snapshot in the stream", "event: snapshot" in seen, True)
    expect("more than the snapshot", bool({"event: beat", "event: change", "event: health"} & seen), True)
    return time.monotonic() - began


def live_call():
    items = json.loads(ask("GET", "/api/v1/live", headers=KEY)[1])["items"]
    return next(call["id"] for call in items if call["state"] == "conversing")


def socket(call):
    """Listens to the call: the first message is text, then audio comes."""
    connection = connected()
    nonce = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    upgrade |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": nonce}
    origin = {"Origin": f"https://localhost:{PORT}"}
    connection.request("GET", f"/api/v1/calls/{call}/listen", headers=KEY | upgrade | origin)
    answer = connection.getresponse()
    said = b"" if answer.status == 101 else answer.read(500)
    expect(f"the upgrade ({said!r})", answer.status, 101)
    stream, audio = answer.fp or connection.sock.makefile("rb"), 0
    while audio < 50:
        first, length = stream.read(2)
        length = int.from_bytes(stream.read(2), "big") if length == 126 else length
        message = stream.read(length)
        if first & 15 == 1 and audio == 0:
            expect("the first message", json.loads(message)["type"], "begin")
        audio += first & 15 == 2
    connection.close()
    return audio


webhooks()
expect("metrics", ask("GET", "/metrics")[0], 404)
expect("the API without a key", ask("GET", "/api/v1/calls")[0], 401)
expect("a caller", ask("GET", f"/api/v1/callers/{CALLER}?x={CALLER}", headers=KEY)[0], 400)
expect("the dashboard", ask("GET", "/sign-in")[0], 200)
messages = socket(live_call())
seconds = events()
megabytes = recording()
print(f"webhooks, a recording of {megabytes} MiB, events within {seconds:.1f} s, {messages} messages of a WebSocket")
