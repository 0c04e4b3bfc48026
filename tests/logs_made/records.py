"""One line of an invocation log after another, each with what a reader must find in it.

`families.py` says what bodies there are; here are the texts, the envelope around the bodies, and every way in which a
line can be of no use. `../logs_truth.py` lays lines out as objects.
"""

from __future__ import annotations

import dataclasses
import json
import random  # noqa: TC003 - dataclasses read it when the file is run by path
import re
import runpy
import uuid
from collections.abc import Callable, Mapping  # noqa: TC003 - dataclasses read them when the file is run by path
from datetime import datetime  # noqa: TC003 - as above
from pathlib import Path
from typing import Any

_here = Path(__file__).parent
_families = runpy.run_path(str(_here / "families.py"))
_texts = runpy.run_path(str(_here / "texts.py"))
FAMILIES, Talk, others = _families["FAMILIES"], _families["Talk"], _families["texts"]
text, metadata_of = _texts["text"], _texts["metadata_of"]

MARK = "QQ7f3kZ9xW"
"""Ten characters in every prompt and request id of a template line; a serial number takes their place."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a reader must find in one line."""

    kind: str
    """How the line was made, for whoever looks for a mistake."""
    key: str = ""
    line: int = 0
    """Number of the line in its object, from 1."""
    model_id: str = ""
    """As logged; empty where there is none."""
    operation: str = ""
    timestamp: str = ""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    reason: str | None = None
    """Why the line is of no use whatever is wanted."""
    answer_reason: str | None = None
    """Why there is no completion; it counts only where responses are wanted."""
    hidden: bool = False
    """Whether a cheap look may take the line for one that is not selected, before its real fault is seen."""
    system: str | None = None
    messages: tuple[tuple[str, str], ...] = ()
    """Role and text."""
    completion: str | None = None
    stop: str | None = None
    """Class of the stop reason."""
    input_tokens: int | None = None
    output_tokens: int | None = None


def model_name(rng, model, account, region):
    """A model in any of the ways it can be called by."""
    here = f"arn:aws:bedrock:{region}:{account}"
    code = f"{rng.getrandbits(40):010x}"
    profile = f"{rng.choice(['us', 'eu', 'apac', 'global'])}.{model}"
    ways = (
        (40, model),
        (25, profile),
        (10, f"{here}:inference-profile/{profile}"),
        (8, f"arn:aws:bedrock:{region}::foundation-model/{model}"),
        (6, f"{here}:application-inference-profile/{code}"),
        (2, f"{here}:provisioned-model/{code}"),
        (2, f"{here}:custom-model-deployment/{code}"),
        (2, f"{here}:imported-model/{code}"),
    )
    return rng.choices([way for _, way in ways], [weight for weight, _ in ways])[0]


def shuffled(rng, value):
    """The same JSON with its keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(rng, value[key]) for key in keys}
    return [shuffled(rng, each) for each in value] if isinstance(value, list) else value


def encoded(rng, record):
    """A record as one line of JSON, in one of the ways to write it."""
    style = rng.random()
    if style < 0.3:
        record = shuffled(rng, record)
    spaces = (", ", ": ") if style > 0.9 else (",", ":")
    line = json.dumps(record, ensure_ascii=0.5 < style < 0.6, separators=spaces)
    if 0.6 < style < 0.63:  # escapes that nobody needs, and everybody may write
        line = line.replace("/", "\\/").replace("triage", "tri\\u0061ge").replace("modelId", "model\\u0049d")
    return line.encode()


# --- Lines ------------------------------------------------------------------------------------------------------------

KINDS = {
    "talk": 74.0,
    "thinking": 4.0,
    "image": 1.5,
    "tool-result": 1.5,
    "tool-call": 1.5,
    "multi-turn": 4.0,
    "no-prompt": 0.8,
    "no-completion": 0.8,
    "embedding": 3.0,
    "image-model": 0.8,
    "failed": 1.5,
    "no-bodies": 1.0,
    "unknown-format": 0.8,
    "unknown-operation": 0.6,
    "not-a-log": 0.6,
    "broken": 1.6,
    "overflow": 0.4,
    "overflow-lost": 0.3,
}
"""What a line can be -> how often. `make_logs` takes another table of the same keys."""

REQUEST_FAULTS = {
    "image": "not-text",
    "tool-result": "tool-use",
    "no-prompt": "no-prompt",
}
ERRORS = ("ThrottlingException", "ValidationException", "ModelTimeoutException", "AccessDeniedException")
LARGE = 110_000


@dataclasses.dataclass(slots=True, kw_only=True)
class Maker:
    """Makes lines, one like the other only where it says so."""

    rng: random.Random
    account: str = "123456789012"
    marked: bool = False
    """Whether prompts and request ids hold `MARK`."""
    weights: Mapping[str, float] = dataclasses.field(default_factory=lambda: KINDS)
    recent: list[tuple[str | None, str]] = dataclasses.field(default_factory=list)
    """Systems and prompts that may come again."""

    def line(
        self, at: datetime, region: str, place: Callable[[str, str], str]
    ) -> tuple[bytes, Expected, dict[str, bytes]]:
        """A line, what is to be found in it, and the bodies that lie beside the log, by URI.

        `place` gives the URI of an overflowing body by request id and side.
        """
        rng = self.rng
        kind = rng.choices(list(self.weights), list(self.weights.values()))[0]
        number = (
            f"00000000-0000-4000-8000-00{MARK}" if self.marked else str(uuid.UUID(int=rng.getrandbits(128)))
        )
        record: dict[str, Any] = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "accountId": self.account,
            "identity": {"arn": f"arn:aws:sts::{self.account}:assumed-role/app/session"},
            "region": region,
            "requestId": number,
        }
        if (metadata := metadata_of(rng)) is not None:
            record["requestMetadata"] = metadata
        known = _OTHERS[kind](self, record, kind) if kind in _OTHERS else self._talk(record, kind)
        bodies: dict[str, bytes] = {}
        if kind.startswith("overflow"):
            known |= _spill(rng, record, kind, place, bodies)
        if rng.random() < 0.4:  # as Bedrock orders them
            for name in ("requestMetadata", "schemaType", "schemaVersion"):
                if name in record:
                    record[name] = record.pop(name)
        line = encoded(rng, record)
        if kind == "broken":
            broken, line = _break(rng, line)
            known = {"reason": "broken-line", "hidden": True, "kind": f"broken/{broken}"}
        elif known.get("reason") != "not-a-log":
            known |= {name: record[name] for name in ("operation", "timestamp")}
            known |= {"model_id": record["modelId"], "metadata": record.get("requestMetadata", {})}
        return line, Expected(**{"kind": kind} | known), bodies

    def _talk(self, record, kind):
        """A conversation, in the format of a family."""
        rng = self.rng
        extra = kind if kind in ("thinking", "image", "tool-result", "tool-call") else ""
        fit = {
            name: family
            for name, family in FAMILIES.items()
            if (not extra or extra in family.extras)
            and (kind != "multi-turn" or family.history)
            and (not kind.startswith(("overflow", "broken")) or name in ("converse", "anthropic"))
        }
        name = rng.choices(list(fit), [family.weight for family in fit.values()])[0]
        family = fit[name]
        streams = (
            name != "converse" and rng.random() < 0.35 and (name, extra) != ("mistral-chat", "tool-call")
        )
        talk = self._words(family, kind, extra)
        response = (family.chunks if streams else family.response)(rng, talk)
        if streams:
            metrics = {"inputTokenCount": talk.asked, "outputTokenCount": talk.answered}
            response[-1]["amazon-bedrock-invocationMetrics"] = metrics | {"invocationLatency": 1234}
            if name in ("anthropic", "openai", "qwen") and rng.random() < 0.3:
                response.append("[DONE]")
        operation = "InvokeModelWithResponseStream" if streams else "InvokeModel"
        if name == "converse":
            operation = rng.choice(["Converse", "Converse", "Converse", "ConverseStream"])
        # Where the answer is lost, only the model's name can tell a format.
        named = kind == "overflow-lost"
        record |= self._head(rng.choice(family.models), operation, record["region"], named=named)
        record |= _sides(family.request(rng, talk), response, talk.asked, talk.answered)
        known = {
            "kind": f"{name}/{operation}/{kind}",
            "system": talk.system,
            "messages": talk.turns,
            "completion": talk.answer or None,
            "stop": {**family.stops, family.tool_stop: "tool"}[talk.stop],
            "input_tokens": talk.asked,
            "output_tokens": talk.answered,
            "reason": REQUEST_FAULTS.get(kind),
        }
        if kind == "tool-call":
            known |= {"completion": None, "answer_reason": "tool-use"}
        return known

    def _words(self, family, kind, extra):
        rng, plain = self.rng, family.plain
        size = int(30 * 2 ** rng.uniform(0, 5))
        system = text(rng, 90, plain=plain) if family.system and rng.random() < 0.5 else None
        prompt = text(rng, size, plain=plain)
        if kind == "no-prompt":
            prompt = ""
        elif kind.startswith("overflow"):
            prompt = (prompt + " ") * (LARGE // len(prompt) + 1) + "?"
        elif kind == "talk" and not self.marked and self.recent and rng.random() < 0.1:
            system, prompt = rng.choice(self.recent)
            system = system if family.system else None
        if self.marked and prompt:
            prompt = f"Case {MARK}: {prompt}" if rng.random() < 0.5 else f"{prompt} ({MARK})"
        if kind == "talk" and plain:  # fits every family
            self.recent = [*self.recent[-200:], (system, prompt)]
        turns = [("user", prompt)]
        if kind == "multi-turn":
            for _ in range(rng.randrange(1, 4)):
                told = [("user", text(rng, 60, plain=plain)), ("assistant", text(rng, 60, plain=plain))]
                turns = [*told, *turns]
        answer = "" if kind == "no-completion" else text(rng, 20 + size, plain=plain)
        if kind.startswith("overflow") and rng.random() < 0.5:
            answer = (answer + " ") * (LARGE // len(answer) + 1) + "."
        usual = next(iter(family.stops))
        stop = usual if answer == "" or rng.random() < 0.85 else rng.choice(list(family.stops))
        return Talk(
            system=system,
            turns=tuple(turns),
            answer=answer,
            # Some models call a tool and say that they simply ended.
            stop=family.tool_stop if extra == "tool-call" and rng.random() < 0.8 else stop,
            asked=20 + len(prompt) // 4,
            answered=len(answer) // 4,
            extra=extra,
        )

    def _head(self, model, operation, region, *, named=False):
        """Operation and model; `named` keeps to ways that say which model it is."""
        name = model_name(self.rng, model, self.account, region)
        return {
            "operation": operation,
            "modelId": model if named and model not in name else name,
            "inferenceRegion": region,
        }

    def _other(self, record, kind):
        """Bodies that are no conversation of a known family."""
        make = {"embedding": others["embedding"], "image-model": others["image"]}.get(kind, others["unknown"])
        model, request, response = make(self.rng, text(self.rng, 60, plain=True))
        record |= self._head(model, "InvokeModel", record["region"]) | _sides(request, response, 9, 0)
        return {"reason": kind}

    def _failed(self, record, kind):
        self._talk(record, "talk")
        record["errorCode"] = self.rng.choice(ERRORS)
        record.pop("output")
        if self.rng.random() < 0.7:
            record["input"].pop("inputBodyJson")
        return {"reason": "failed-call"}

    def _empty(self, record, kind):
        self._talk(record, "talk")
        for side in ("input", "output"):
            record[side].pop(f"{side}BodyJson")
        return {"reason": "no-body"}

    def _unknown_operation(self, record, kind):
        self._talk(record, "talk")
        record["operation"] = self.rng.choice(["CountTokens", "ApplyGuardrail", "StartAsyncInvoke"])
        return {"reason": "unknown-operation"}

    def _no_log(self, record, kind):
        self._talk(record, "talk")
        what = self.rng.randrange(4)
        if what == 0:
            record["schemaType"] = "AgentTrace"
        elif what == 3:
            record.clear()
            record |= {"eventVersion": "1.08", "eventName": "InvokeModel"}
        else:
            record.pop(("modelId", "schemaType")[what - 1])
        return {"reason": "not-a-log", "hidden": True}


_OTHERS = {
    "embedding": Maker._other,
    "image-model": Maker._other,
    "unknown-format": Maker._other,
    "failed": Maker._failed,
    "no-bodies": Maker._empty,
    "unknown-operation": Maker._unknown_operation,
    "not-a-log": Maker._no_log,
}


def _sides(request, response, asked, answered):
    kind = "application/json"
    return {
        "input": {"inputContentType": kind, "inputTokenCount": asked, "inputBodyJson": request},
        "output": {"outputContentType": kind, "outputTokenCount": answered, "outputBodyJson": response},
    }


def _spill(rng, record, kind, place, bodies):
    """Move what is large out of a record; what a reader finds then, if that is less."""
    lost = kind == "overflow-lost" and rng.choice(["input", "output"])
    for side in ("input", "output"):
        name = f"{side}BodyJson"
        body = json.dumps(record[side][name], ensure_ascii=False).encode()
        if side == lost or len(body) > 100 * 1024:
            del record[side][name]
            uri = record[side][f"{side}BodyS3Path"] = place(record["requestId"], side)
            if side != lost:
                bodies[uri] = body
    if lost == "output":
        return {"completion": None, "stop": None, "output_tokens": None, "answer_reason": "no-body"}
    return {"reason": "no-body"} if lost else {}


def _break(rng, line):
    """A line spoiled in one of many ways, and the way's name."""
    at = rng.randrange(2, len(line) - 1)
    bad = rng.choice([b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf"])
    # The model's name is read from every line, so a reader cannot fail to see a bad byte in it.
    named = re.search(rb'"modelId": ?"', line)
    ways = {
        "cut": line[:at],
        "cut at the end": line[:-1],
        "utf-8": line[: named.end()] + bad + line[named.end() :] if named else line[:at],
        "no object": rng.choice([b"null", b"[]", b'"text"', b"17", b"[" + line + b"]"]),
        "more": line + rng.choice([b"}", b",", line]),
        "not json": b"{" + line,
        "log text": b"INFO " + line[:60],
        "comma": line[:-1] + b",}",
        "latin-1": '{"modelId":"Köln"}'.encode("latin-1"),
    }
    way = rng.choice(list(ways))
    return way, ways[way]
