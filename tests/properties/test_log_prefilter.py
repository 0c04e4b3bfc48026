"""The cheap look at a log line rejects only what decoding rejects, and the fast way reads what the careful way reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bedrock_distill.records.logs.decoding import _careful, decode_line, peek_head, peek_tail
from bedrock_distill.records.logs.filters import Metadata
from bedrock_distill.records.logs.query import LogQuery, Selector
from bedrock_distill.records.logs.scanning import encoded, scan_lines
from bedrock_distill.records.logs.tally import Tally

NOVA, CLAUDE, OTHER = "amazon.nova-pro-v1:0", "us.anthropic.claude-3-haiku-20240307-v1:0", "acme.own-v1:0"
PROJECT = Metadata("project")

QUERIES = [
    LogQuery(),
    LogQuery(models=(NOVA,)),
    LogQuery(models=("anthropic.claude-3-haiku-20240307-v1:0",), responses=True),
    LogQuery(exact_model=OTHER, responses=True),
    LogQuery(operations=("InvokeModel",)),
    LogQuery(where=PROJECT == "triage", responses=True),
    LogQuery(where=PROJECT != "triage"),
    LogQuery(where=(PROJECT == "triage") | (Metadata("env") != "dev"), multi_turn=True),
    LogQuery(where=(PROJECT != "other") & (Metadata("env") == "dev"), models=(NOVA,)),
    LogQuery(where=(PROJECT == "triage") | (Metadata("env") != "dev"), and_where=PROJECT != "other"),
    LogQuery(since=datetime(2026, 11, 1, tzinfo=UTC), until=datetime(2026, 11, 2, tzinfo=UTC)),
    LogQuery(where=PROJECT == "triage", since=datetime(2026, 11, 1, tzinfo=UTC), models=(NOVA,)),
]

# What a text or a body must be able to hold without being taken for a member of the line.
DECOYS = st.sampled_from(
    [
        "plain",
        "",
        ',"requestMetadata":{"project":"triage"}}',
        '"},"requestMetadata":{"project":"other"}}',
        '{"modelId":"acme.own-v1:0","operation":"Converse","input":{}}',
        '","input":{"inputBodyJson":{}},"modelId":"amazon.nova-pro-v1:0',
        "back\\slash\\",
        'quote"',
        "é日\U0001f600",
        "x" * 1500,
    ]
)
METADATA = st.dictionaries(
    st.sampled_from(["project", "env", "requestMetadata"]), st.sampled_from(["triage", "other", "dev", ""])
)
LOOK_ALIKES = st.recursive(
    DECOYS | st.none() | st.integers(-9, 9),
    lambda inner: (
        st.dictionaries(
            st.sampled_from(
                ["input", "output", "modelId", "operation", "requestMetadata", "errorCode", "text"]
            ),
            inner | METADATA,
            max_size=4,
        )
        | st.lists(inner, max_size=2)
    ),
    max_leaves=5,
)


@st.composite
def bodies(draw):
    """Request and response, of some format or none, with look-alikes beside what is read."""
    text, answer, beside = draw(DECOYS), draw(DECOYS), draw(LOOK_ALIKES)
    blocks = [{"text": text}, *draw(st.sampled_from([[], [{"toolUse": {}}], [{"text": "more"}]]))]
    turns = [{"role": "user", "content": blocks}]
    if draw(st.booleans()):
        turns = [*turns, {"role": "assistant", "content": [{"text": "so"}]}, *turns]
    converse = {"output": {"message": {"role": "assistant", "content": [{"text": answer}]}}}
    claude = {"content": [{"type": "text", "text": answer}]}
    usual = {"messages": turns, "requestMetadata": beside}
    request = draw(st.sampled_from([usual, usual, usual, {"prompt": text}, beside, {}]))
    response = draw(st.sampled_from([{**converse, "stopReason": "end_turn"}, claude, beside, [beside]]))
    return request, response


@st.composite
def members(draw):
    """A line's members, in Bedrock's order and usually as Bedrock makes them."""

    odd = draw(st.sampled_from([False, False, True]))

    def rarely(usual, *others):
        return draw(st.sampled_from([usual] * 4 + list(others))) if odd else usual

    request, response = draw(bodies())
    found = {
        "schemaType": rarely("ModelInvocationLog", "Another", None, 7),
        "timestamp": rarely("2026-11-01T05:00:00Z", "2026-11-02T00:00:00Z", "then", 5),
        "identity": rarely({"arn": "arn:aws:iam::123456789012:role/x"}, draw(LOOK_ALIKES), draw(DECOYS)),
        "operation": rarely("Converse", "InvokeModel", "CountTokens", None),
        "modelId": rarely(draw(st.sampled_from([NOVA, NOVA, CLAUDE, OTHER])), "", None),
        "errorCode": rarely(None, "ThrottlingException"),
        "requestMetadata": rarely(draw(METADATA), None, {"project": 5}, []),
        "input": rarely({"inputContentType": "application/json", "inputBodyJson": request}, None, {}, 3),
        "output": rarely({"outputBodyJson": response, "outputTokenCount": 3}, None, {}),
        "inferenceRegion": "us-east-1",
        "schemaVersion": "1.0",
    }
    left_out = rarely(set(), draw(st.sets(st.sampled_from(sorted(found)), max_size=2)))
    pairs = [(name, value) for name, value in found.items() if name not in left_out]
    order = rarely(draw(st.sampled_from(["as made", "requestMetadata", "schema"])), "any", "any")
    if order in ("requestMetadata", "schema"):  # these last
        pairs.sort(key=lambda pair: pair[0].startswith(order))
    return draw(st.permutations(pairs)) if order == "any" else pairs


def written(value, escape, gap):
    """JSON as somebody else may write it: with blanks, and any ASCII letter as an escape."""
    if isinstance(value, str):
        plain = json.dumps(value, ensure_ascii=False)
        return plain if not escape else '"' + "".join(escape(char) for char in value) + '"'
    if isinstance(value, dict):
        inner = (f"{written(k, escape, gap)}{gap}:{gap}{written(v, escape, gap)}" for k, v in value.items())
        return "{" + f"{gap},{gap}".join(inner) + "}"
    if isinstance(value, list):
        return "[" + f"{gap},".join(written(each, escape, gap) for each in value) + "]"
    return json.dumps(value)


@st.composite
def lines(draw):
    """A line; some are cut or damaged."""
    every = draw(st.sampled_from([*[0] * 6, 1, 3]))
    gap = draw(st.sampled_from([*[""] * 8, " ", "\t"]))

    def escape(char):
        odd = ord(char) < 0x20 or char in '"\\'
        return (
            f"\\u{ord(char):04x}" if odd or (ord(char) < 0x80 and ord(char) % every == 0 and every) else char
        )

    parts = []
    for name, value in draw(members()):
        # One member may be escaped and its neighbour not.
        how = escape if every and draw(st.booleans()) else None
        parts.append(f"{written(name, how, gap)}{gap}:{gap}{written(value, how, gap)}")
    line = ("{" + f"{gap},".join(parts) + "}").encode() + draw(st.sampled_from([b"", b"\n"]))
    damage = draw(st.sampled_from(["none"] * 8 + ["cut", "byte"]))
    if damage == "cut":
        return line[: draw(st.integers(1, len(line)))]
    if damage == "byte":
        at = draw(st.integers(0, len(line) - 1))
        return line[:at] + draw(st.sampled_from([b"\xff", b'"', b"{", b"}", b"\x00"])) + line[at + 1 :]
    return line


def in_full(line, selector):
    """What becomes of a line by decoding alone: the record, or the reason."""
    entry = decode_line(line, answers=selector.query.responses)
    reason, query = entry.reason, selector.query
    if reason not in ("broken-line", "not-a-log") and not selector.takes(entry.envelope):
        reason = "not-selected"
    elif entry.exchange is not None:
        reason = selector.objection(entry.exchange)
    if reason is not None:
        return None, reason
    return encoded(entry.exchange, answers=query.responses), None


@settings(max_examples=600)
@given(lines(), st.sampled_from(QUERIES))
@example(
    b'{"schemaType":"Another","operation":"Converse","modelId":"acme.own-v1:0","input":{}}',
    LogQuery(models=(NOVA,)),
)
@example(
    b'{"schemaType":"ModelInvocationLog","timestamp":5,"operation":"Converse","modelId":"acme.own-v1:0",'
    b'"requestMetadata":{"project":"triage"},"input":{}}',
    LogQuery(where=PROJECT != "triage"),
)
def test_a_line_is_read_and_counted_as_if_every_line_were_decoded_in_full(line, query):
    if not line.strip():
        return
    selector, tally = Selector(query), Tally()
    found = list(scan_lines([line], selector, tally))
    record, reason = in_full(line, selector)
    assert found == ([] if record is None else [record])
    assert (tally.scanned, tally.matched) == (1, len(found))
    (counted,) = tally.skipped or [None]
    # A broken line whose whole beginning says that it is not wanted is not read to where it breaks.
    assert counted == reason or (reason == "broken-line" and counted == "not-selected")


@settings(max_examples=600)
@given(lines(), st.booleans())
def test_the_fast_way_and_the_careful_way_read_the_same(line, answers):
    fast, careful = decode_line(line, answers=answers), _careful(line, None, answers=answers)
    assert (fast.exchange, fast.reason) == (careful.exchange, careful.reason)
    assert (fast.model_id, fast.operation, fast.timestamp, fast.metadata) == (
        careful.model_id, careful.operation, careful.timestamp, careful.metadata
    )  # fmt: skip


@settings(max_examples=600)
@given(lines())
def test_what_is_seen_at_either_end_of_a_sound_line_is_its_own(line):
    try:
        whole = json.loads(line)
    except ValueError:
        return
    head, tail = peek_head(line), peek_tail(line)
    if head is not None and head.model_id:
        assert head.model_id == whole["modelId"]
    if head is not None and head.operation:
        assert head.operation == whole["operation"]
    for seen in (head, tail):
        if seen is not None and seen.metadata is not None:
            assert seen.metadata == whole["requestMetadata"]
    if tail is not None:
        assert tail.metadata == whole["requestMetadata"]


def test_lines_as_bedrock_writes_them_are_told_by_their_ends():
    line = json.dumps(
        {
            "schemaType": "ModelInvocationLog",
            "operation": "Converse",
            "modelId": NOVA,
            "input": {"inputBodyJson": {"messages": []}},
            "output": {},
            "requestMetadata": {"project": "triage"},
        },
        separators=(",", ":"),
    ).encode()
    head, tail = peek_head(line), peek_tail(line)
    assert (head.model_id, head.operation, head.metadata) == (NOVA, "Converse", None)
    assert tail.metadata == {"project": "triage"}
