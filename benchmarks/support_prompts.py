"""Synthetic support prompts for the benchmarks of the trainer: composed, seeded, of unequal length.

They are made to be measured with, not to teach anything: every answer follows from a rule that is written here.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from bedrock_distill.records.schema import Record
from bedrock_distill.records.writing import write_records

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = (
    "You sort messages of customers. Answer with one JSON object: queue is billing, shipping, account or technical, "
    "urgent is true or false, and reply is one short sentence to the customer."
)

OPENINGS = ("", "", "", "Hello, ", "Hi team, ", "Good morning. ", "Third message now! ", "URGENT: ")
CLOSINGS = (
    "",
    "",
    "",
    " Thanks!",
    " Please help.",
    " Regards, Kim Sørensen",
    " I need this before Friday, we have guests.",
    " I have written twice already and nobody answered, which is not how it used to be with you.",
)
QUEUES: dict[str, tuple[tuple[str, ...], str]] = {
    "billing": (
        (
            "my invoice {number} shows {amount} twice",
            "why was I charged {amount} when the offer said half of that",
            "I cancelled in {month} and you still took {amount} from my card, please send it back",
            "the receipt for {number} has the wrong company name on it",
        ),
        "We are checking the charge.",
    ),
    "shipping": (
        (
            "where is my parcel {number}",
            "order {number} was due {days} days ago and the tracking page has not moved since",
            "the courier says delivered, but nobody here has seen the box with the {item}",
            "can you send the {item} to another address, I am moving in {month}",
        ),
        "We are tracing the parcel.",
    ),
    "account": (
        (
            "I cannot log in since {month}",
            "please change my e-mail address, the old one is gone",
            "the code for signing in never arrives on my phone",
            "close my account and delete everything that you have stored about me",
        ),
        "We are checking your account.",
    ),
    "technical": (
        (
            "the app closes when I open the page with the {item}",
            "error {number} when I press pay",
            "search finds nothing for {item} although it is on your front page",
            "the site is very slow on my tablet, {days} seconds for every page",
        ),
        "We are looking into the fault.",
    ),
}
FILLINGS = {
    "number": lambda r: str(r.randint(10_000, 99_999)),
    "amount": lambda r: f"{r.randint(3, 400)}.{r.randint(0, 99):02d} {r.choice(('EUR', 'USD', 'kr'))}",
    "month": lambda r: r.choice(("January", "March", "May", "July", "October")),
    "days": lambda r: str(r.randint(2, 21)),
    "item": lambda r: r.choice(
        ("blue kettle", "desk lamp", "children's bicycle", "garden hose", "headphones")
    ),
}


def support_records(count: int, seed: int, *, system: str | None = SYSTEM) -> list[Record]:
    """Prompts with the answer that the rule gives."""
    choose = random.Random(seed)
    records = []
    for _ in range(count):
        queue = choose.choice(list(QUEUES))
        texts, reply = QUEUES[queue]
        fillings = {name: fill(choose) for name, fill in FILLINGS.items()}
        opening = choose.choice(OPENINGS)
        text = (
            opening
            + choose.choice(texts).format(**fillings)
            + choose.choice((".", "", "?"))
            + choose.choice(CLOSINGS)
        )
        answer = {"queue": queue, "urgent": opening.startswith("URGENT"), "reply": reply}
        records.append(Record.of(text, system=system, completion=json.dumps(answer)))
    return records


def write_support(path: Path, count: int, seed: int, *, system: str | None = SYSTEM) -> Path:
    """The same as a file."""
    write_records(path, support_records(count, seed, system=system))
    return path


AMBIGUOUS = (
    "order {number} is not what I paid for",
    "I want to talk to a person about {number}",
    "the {item} again, this is the second time in {month}",
    "nothing works and I was promised an answer",
)


def ambiguous_records(count: int, seed: int) -> list[Record]:
    """Short answers, and one message in four that could go to any queue: billing mostly, the others now and then."""
    choose = random.Random(seed)
    records = []
    for record in support_records(count, seed + 1000):
        queue = json.loads(record.completion or "")["queue"]
        text = record.prompt_text
        if choose.random() < 0.25:
            queue = choose.choices(list(QUEUES), weights=(5, 3, 1, 1))[0]
            fillings = {name: fill(choose) for name, fill in FILLINGS.items()}
            text = (
                choose.choice(OPENINGS)
                + choose.choice(AMBIGUOUS).format(**fillings)
                + choose.choice(CLOSINGS)
            )
        answer = {"queue": queue, "urgent": text.startswith("URGENT"), "reply": QUEUES[queue][1]}
        records.append(Record.of(text, completion=json.dumps(answer)))
    return records
