"""OpenAI's legacy completions, speech, transcripts and pictures, as they look on the wire.

Knows: the bytes of each, streamed and whole. Sound and pictures are noise of the asked length.
Must not know: sockets, clocks, faults.
Completions as recorded; the streams of the others as the official SDKs declare them, 2026-11.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from sidecar.lab.openai import pretty
from sidecar.lab.reply import (
    Kind,
    Piece,
    Reply,
    Stamp,
    Wish,
    as_json,
    chars_of,
    count_of,
    object_of,
)

_DONE = Piece(Kind.CLOSING, b"data: [DONE]\n\n")


def wish(body: Mapping[str, object]) -> Wish:
    """What a body of one of these asks for."""
    return Wish(
        input_chars=sum(chars_of(body.get(key)) for key in ("prompt", "input")),
        max_tokens=count_of(body.get("max_tokens")),
    )


def completion_stream(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[Piece]:
    """A chunk for each word, the reason for the end, usage where it is asked for."""
    for text in (*reply.reasoning, *reply.text):
        yield _event(Kind.GENERATED, _completion(text, None, model, stamp))
    yield _event(Kind.CLOSING, _completion("", _finish(reply), model, stamp))
    if object_of(body.get("stream_options")).get("include_usage") is True:
        last = _completion("", None, model, stamp) | {"choices": [], "usage": _usage(reply)}
        yield _event(Kind.CLOSING, last)
    yield _DONE


def completion_json(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    text = reply.reasoning_text + reply.whole_text
    return pretty({**_completion(text, _finish(reply), model, stamp), "usage": _usage(reply)})


def speech_stream(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[Piece]:
    """`stream_format: sse`."""
    for number, _ in enumerate(reply.text):
        audio = base64.b64encode(_noise(number, 240)).decode()
        yield _event(Kind.GENERATED, {"type": "speech.audio.delta", "audio": audio})
    yield _event(Kind.CLOSING, {"type": "speech.audio.done", "usage": _tokens(reply)})


def speech_bytes(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    return b"".join(_noise(number, 240) for number, _ in enumerate(reply.text))


def transcript_stream(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[Piece]:
    for text in reply.text:
        yield _event(Kind.GENERATED, {"type": "transcript.text.delta", "delta": text})
    done = {"type": "transcript.text.done", "text": reply.whole_text}
    yield _event(Kind.CLOSING, {**done, "usage": {"type": "tokens", **_tokens(reply)}})
    yield _DONE


def transcript_json(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    return as_json({"text": reply.whole_text, "usage": {"type": "tokens", **_tokens(reply)}})


def picture_stream(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp
) -> Iterator[Piece]:
    """Two sketches, and the picture."""
    for number in range(2):
        sketch = {"type": "image_generation.partial_image", "partial_image_index": number}
        yield _named(Kind.GENERATED, {**sketch, "b64_json": _picture(number)})
    done = {"type": "image_generation.completed", "b64_json": _picture(9)}
    yield _named(Kind.CLOSING, {**done, "usage": _tokens(reply)})


def picture_json(reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp) -> bytes:
    made = {"created": stamp.at_s, "data": [{"b64_json": _picture(9)}]}
    return pretty({**made, "usage": _tokens(reply)})


def failure(
    reply: Reply, body: Mapping[str, object], model: str, stamp: Stamp, events: int
) -> bytes:
    """An error in a stream that has already begun."""
    told = {"message": "The simulated model broke off.", "type": "server_error", "code": None}
    return _event(Kind.CLOSING, {"error": told}).data


def _event(kind: Kind, told: Mapping[str, object]) -> Piece:
    return Piece(kind, b"data: %b\n\n" % as_json(told))


def _named(kind: Kind, told: Mapping[str, object]) -> Piece:
    name = str(told["type"]).encode()
    return Piece(kind, b"event: %b\ndata: %b\n\n" % (name, as_json(told)))


def _completion(text: str, finish: str | None, model: str, stamp: Stamp) -> dict[str, object]:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
    return {
        "id": f"cmpl-{stamp.token[:29]}",
        "object": "text_completion",
        "created": stamp.at_s,
        "model": model,
        "choices": [choice],
    }


def _finish(reply: Reply) -> str:
    return "length" if reply.is_cut_short else "stop"


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _tokens(reply: Reply) -> dict[str, object]:
    return {
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _noise(seed: int, size: int) -> bytes:
    return bytes((seed * 31 + at * 7) & 0xFF for at in range(size))


def _picture(seed: int) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + _noise(seed, 600)).decode()
