"""Small data and small students for the trainer's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bedrock_distill.records.schema import Record, encode_record
from bedrock_distill.train import StudentSize, TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SYSTEM = "Sort the message of a customer into one queue and answer with its name and the number of the order."
QUEUES = ("billing", "shipping", "account")


def _support_records(count: int) -> list[Record]:
    """Prompts of unequal length with a system prompt, and the answers a rule gives them."""
    texts = (
        "My invoice {} is wrong",
        "Where is my parcel {}? I have been waiting for days",
        "Ich kann mich nicht anmelden, Kunde {}, hélas",
    )
    return [
        Record.of(
            texts[number % 3].format(1000 + 7 * number) + "!" * (number % 5),
            system=SYSTEM,
            completion=f"{QUEUES[number % 3]} {1000 + 7 * number}",
        )
        for number in range(count)
    ]


def _write_lines(path: Path, records: list[Record]) -> Path:
    path.write_bytes(b"".join(encode_record(record) + b"\n" for record in records))
    return path


@pytest.fixture(scope="session")
def support_records() -> Callable[[int], list[Record]]:
    return _support_records


@pytest.fixture(scope="session")
def write_lines() -> Callable[[Path, list[Record]], Path]:
    return _write_lines


@pytest.fixture(scope="session")
def toy_size() -> StudentSize:
    """Small enough that a step takes milliseconds."""
    return StudentSize(
        name="toy", hidden=32, layers=2, heads=2, kv_heads=1, intermediate=48, learning_rate=5e-3
    )


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Toy students gain nothing from more, and idle OpenMP threads spin beside other tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return _write_lines(tmp_path / "train.jsonl", _support_records(20))


@pytest.fixture
def make_config(tmp_path: Path, data: Path) -> Callable[..., TrainConfig]:
    """A config of a run that takes a moment, with whatever a test changes."""

    def make(name: str = "run", **changes: Any) -> TrainConfig:
        settings: dict[str, Any] = {
            "data": data,
            "output_dir": tmp_path / name,
            "size": "tiny",
            "steps": 4,
            "batch_size": 4,
            "vocab_size": 300,
            "dtype": "float32",
            "threads": 1,
        }
        return TrainConfig(**(settings | changes))

    return make


@pytest.fixture(scope="session")
def base_dir(tmp_path_factory: pytest.TempPathFactory, toy_size: StudentSize) -> Path:
    """An untrained student on disk."""
    from bedrock_distill.train.base import make_base

    return make_base(toy_size, tmp_path_factory.mktemp("base") / "model", seed=3)


@pytest.fixture(scope="session")
def lively_dir(tmp_path_factory: pytest.TempPathFactory, toy_size: StudentSize) -> Path:
    """Weights so large that every prompt gets another answer, which untrained students do not give."""
    import torch

    from bedrock_distill.train.export import export_model
    from bedrock_distill.train.students import random_student
    from bedrock_distill.train.tokens import byte_tokenizer

    tokenizer = byte_tokenizer()
    model = random_student(toy_size, tokenizer, seed=0)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.4, generator=random)
    return export_model(model, tokenizer, tmp_path_factory.mktemp("lively") / "model")
