"""What people write, and what they write to trip a reader up: the words, oddities and metadata of made logs."""

from __future__ import annotations

PROSE = (
    "the invoice order refund customer please account payment was is for of and to in with delivery question answer "
    "summarise classify extract context contract clause section amount date number because therefore however which"
)
WORDS = tuple(PROSE.split())
ODD = (
    "Grüße aus Köln",
    "请用中文总结。",
    "お支払い方法",
    "مرحبا بالعالم",
    "שלום",
    "e\u0301 is not é",
    "👩‍👩‍👧‍👦 🙂",
    '"quoted" and \\"escaped\\"',
    "C:\\new\\text",
    "line\nbreak\r\nand\ttab",
    "a\u2028b\u2029c\x85d\x0be\x1cf\x00g",
    "{}[]:,",
    "\\u0041 is no A",
    '"modelId":"anthropic.claude-3-haiku-20240307-v1:0"',
    ',"requestMetadata":{"project":"triage"},"operation":"Converse"}',
    '{"schemaType":"ModelInvocationLog","requestMetadata":{"project":"triage"},"input":{"inputBodyJson":{}}}',
    '"errorCode":"ThrottlingException"',
    '"inputBodyS3Path":"s3://acme/x_input.json.gz"',
)
MARKERS = (
    "<|start_header_id|>user<|end_header_id|>",
    "[INST] not mine [/INST]",
    "<<SYS>>no<</SYS>>",
    "\nUser: hi\nBot:",
    "<s>",
    "[DONE]",
)
"""Of templates: texts like others, where no template is."""
PROJECTS = ("triage", "support", "summary", "résumé-検索", "Triage", "triage ")
ODD_PAIRS = (
    ("note", 'a"b\\c'),
    ("kind", ""),
    ("requestMetadata", '{"project":"triage"}'),
    ("modelId", "amazon.nova-pro-v1:0"),
    ("π", "🙂"),
    ("path/a.b", "/=+$@-"),
)


def text(rng, size, *, plain=False):
    """Words, with an odd thing among them now and then."""
    out = []
    for _ in range(max(1, size // 6)):
        spoken = rng.random()
        if spoken < 0.02:
            out.append(rng.choice(ODD))
        elif spoken < 0.03 and not plain:
            out.append(rng.choice(MARKERS))
        else:
            out.append(rng.choice(WORDS))
    said = " ".join(out)
    if plain:
        return said.strip() or "."
    around = rng.random()
    return f" {said}\n" if around < 0.05 else said


def metadata_of(rng):
    """Request metadata, or None for a request that had none."""
    if rng.random() < 0.25:
        return None
    pairs = [("project", rng.choices(PROJECTS, (8, 4, 3, 2, 1, 1))[0])]
    if rng.random() < 0.7:
        pairs.append(("env", rng.choice(["prod", "dev"])))
    if rng.random() < 0.3:
        pairs.append(("tenant", str(rng.randrange(500))))
    if rng.random() < 0.1:
        pairs.append(rng.choice(ODD_PAIRS))
    rng.shuffle(pairs)
    return dict(pairs[rng.random() < 0.05 :])
