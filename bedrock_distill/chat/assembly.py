"""From Converse's answer, whole or in events, back to text. Pure: dictionaries in, values out."""

from __future__ import annotations

from typing import Any

from bedrock_distill.chat.reply import Usage

__all__ = ["Assembly"]


class Assembly:
    """An answer as far as it has come."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.stop_reason = ""
        """Why the model stopped; empty until it did."""
        self.usage = Usage()
        self.service_latency_s: float | None = None

    @classmethod
    def of_response(cls, response: dict[str, Any]) -> Assembly:
        """A whole answer, as `converse` returns it."""
        assembly = cls()
        blocks = response.get("output", {}).get("message", {}).get("content", ())
        assembly._pieces = [block["text"] for block in blocks if "text" in block]
        assembly.stop_reason = response.get("stopReason", "")
        assembly._count(response)
        return assembly

    def feed(self, event: dict[str, Any]) -> str:
        """Take one event of `converse_stream`, and return the text it brings, which may be none."""
        if "contentBlockDelta" in event:
            piece: str = event["contentBlockDelta"]["delta"].get("text", "")
            self._pieces.append(piece)
            return piece
        if "messageStop" in event:
            self.stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            self._count(event["metadata"])
        return ""

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    def _count(self, part: dict[str, Any]) -> None:
        usage = part.get("usage", {})
        self.usage = Usage(
            input_tokens=usage.get("inputTokens", 0),
            output_tokens=usage.get("outputTokens", 0),
            cache_read_tokens=usage.get("cacheReadInputTokens", 0),
            cache_write_tokens=usage.get("cacheWriteInputTokens", 0),
        )
        latency_ms = part.get("metrics", {}).get("latencyMs")
        self.service_latency_s = None if latency_ms is None else latency_ms / 1000
