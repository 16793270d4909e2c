"""Hooks of scripts/api-fuzz: signatures of webhooks, and ids that exist.

schemathesis makes requests from the OpenAPI document alone. It cannot know how a webhook is signed, and an id that it
makes up is never that of a call or of a caller.
"""

import hashlib
import hmac
import io
import json
import os
import random
import time
import urllib.error
import urllib.request
import wave

import requests
import schemathesis

SECRET = os.environ["API_FUZZ_SECRET"].encode()
KEY = os.environ["API_FUZZ_KEY"]
BASE = os.environ["API_FUZZ_URL"]
CALLERS = ["+12025550101", "+12025550102", "101"]


def signature(body: bytes) -> str:
    """The value of a signature header, for now."""
    at = int(time.time())
    tag = hmac.new(SECRET, b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v0={tag}"


class Signed(requests.auth.AuthBase):
    """Signs a body as it is sent."""

    def __init__(self, header: str):
        self.header = header

    def __call__(self, request):
        body = request.body or b""
        request.headers[self.header] = signature(body.encode() if isinstance(body, str) else body)
        return request


SIGNED = {
    "/webhook/3cx": Signed("X-3CX-Signature"),
    "/webhook/elevenlabs/postcall": Signed("ElevenLabs-Signature"),
}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Signs webhooks: one of ten keeps the signature that was made up, or has none. Maps callers who get a sample."""
    if case.operation.path in SIGNED and random.random() < 0.9:
        kwargs["auth"] = SIGNED[case.operation.path]
    if case.operation.path == SAMPLE and random.random() < 0.5:
        map_callers()
        kwargs["data"] = RECORDING


def ask(method: str, path: str, body=None, headers=None):
    """One request to precall; its answer as JSON, or nothing when it is refused."""
    data = None if body is None else json.dumps(body).encode()
    headers = headers(data) if headers else {"X-API-Key": KEY}
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError:
        return None


def ids(path: str) -> list:
    """The ids in a list of the API."""
    page = ask("GET", path) or {"items": []}
    return [item["id"] for item in page["items"]]


def map_callers():
    """Maps each caller to a sample that may still be missing."""
    for number, caller in enumerate(CALLERS):
        mapping = {"voice_sample_url": f"uploads/{number}.wav", "voice_name": f"Voice {number}"}
        ask("PUT", f"/api/v1/callers/{caller.replace('+', '%2B')}", mapping)


def recording() -> bytes:
    """A WAV of four seconds that a voice can be cloned from: noise."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(random.Random(1).randbytes(4 * 8000 * 2))
    return file.getvalue()


SAMPLE = "/api/v1/callers/{caller_id}/sample"
RECORDING = recording()


def set_the_scene() -> dict:
    """Makes callers, a speaker and calls. Only a key of the scope admin can; with others the lists are as they are."""
    map_callers()
    ask("POST", "/api/v1/speakers", {"name": "Anna Example"})
    for number, caller in enumerate(CALLERS):
        call = {"event_type": "IncomingCall", "call_id": f"fuzz-{number}", "caller_id": caller}
        ask("POST", "/webhook/3cx", call, lambda data: {"X-3CX-Signature": signature(data)})
    # It has a right signature and cannot be read, so it is kept in quarantine and can be replayed.
    ask("POST", "/webhook/3cx", {"event_type": "?"}, lambda data: {"X-3CX-Signature": signature(data)})
    return {
        "/api/v1/calls/": ids("/api/v1/calls") + [f"fuzz-{number}" for number in range(len(CALLERS))],
        "/api/v1/speakers/": ids("/api/v1/speakers"),
        "/api/v1/webhooks/": ids("/api/v1/webhooks?state=quarantined"),
    }


KNOWN = set_the_scene()


@schemathesis.hook
def map_body(context, body):
    """A person to whom a caller can be sent."""
    if context.operation.path.endswith("/transfer") and isinstance(body, dict) and random.random() < 0.5:
        body["destination"] = "sales"
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every other made-up id becomes one that exists."""
    if not path_parameters or random.random() < 0.5:
        return path_parameters
    if "caller_id" in path_parameters:
        path_parameters["caller_id"] = random.choice(CALLERS)
    for start, known in KNOWN.items():
        if "id" in path_parameters and known and context.operation.path.startswith(start):
            path_parameters["id"] = random.choice(known)
    return path_parameters
