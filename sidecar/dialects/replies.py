"""Our own error bodies, in the shape that the caller's SDK expects of its provider.

Knows: the JSON shape of an error in each dialect, and the words each uses for a kind of error.
Must not know: why we refuse (a Refusal says that) or how a reply is framed.
Why the caller's shape: an SDK that cannot read an error body shows its raw text; one that can,
raises the exception that the application already handles.
Shapes: each provider's public API documentation, looked at 2026-11.
"""

from __future__ import annotations

from typing import Final

import msgspec

_OPENAI_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_exceeded",
}
_ANTHROPIC_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GOOGLE_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_BEDROCK_TYPES: Final = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


def error_body(
    dialect: str, status: int, code: str, message: str, sidecar: dict[str, object]
) -> bytes:
    """The JSON body. `sidecar` goes into the error object, or beside it where that is a string."""
    return msgspec.json.encode(_shape(dialect, status, code, message, sidecar))


def error_headers(dialect: str, status: int) -> tuple[tuple[str, str], ...]:
    """Headers beside the common ones: Bedrock's SDK reads the kind of error from one."""
    if dialect != "bedrock":
        return ()
    kind = _BEDROCK_TYPES.get(
        status, "ValidationException" if status < 500 else "InternalServerException"
    )
    return (("x-amzn-errortype", kind),)


def _shape(
    dialect: str, status: int, code: str, message: str, sidecar: dict[str, object]
) -> dict[str, object]:
    match dialect:
        case "anthropic":
            kind = _ANTHROPIC_TYPES.get(
                status, "invalid_request_error" if status < 500 else "api_error"
            )
            error: dict[str, object] = {"type": kind, "message": message, "sidecar": sidecar}
            return {"type": "error", "error": error, "request_id": sidecar.get("request_id")}
        case "gemini":
            word = _GOOGLE_STATUS.get(status, "FAILED_PRECONDITION" if status < 500 else "INTERNAL")
            return {
                "error": {"code": status, "message": message, "status": word, "sidecar": sidecar}
            }
        case "bedrock" | "cohere":
            return {"message": message, "sidecar": sidecar}
        case "ollama":
            return {"error": message, "sidecar": sidecar}
        case _:
            kind = _OPENAI_TYPES.get(
                status, "invalid_request_error" if status < 500 else "server_error"
            )
            return {
                "error": {
                    "message": message,
                    "type": kind,
                    "param": None,
                    "code": code,
                    "sidecar": sidecar,
                }
            }


def dialect_of_path(path: str) -> str:
    """The dialect of a request that reached no upstream: by its path, OpenAI's where unknown."""
    if "/v1/messages" in path:
        return "anthropic"
    is_google = path.startswith("/v1/projects/") or path.endswith("enerateContent")
    if "/v1beta/" in path or is_google:
        return "gemini"
    if path.startswith("/model/"):
        return "bedrock"
    if path.startswith("/v2/"):
        return "cohere"
    if path.startswith(("/api/chat", "/api/generate", "/api/embed")):
        return "ollama"
    return "openai"
