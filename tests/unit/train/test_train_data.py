from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.errors import DataError
from bedrock_distill.records.schema import Record
from bedrock_distill.train.data import collate, encode_files, epoch_batches, held_out
from bedrock_distill.train.tokens import byte_tokenizer, prompt_text, token_ids

TOKENIZER = byte_tokenizer()


@pytest.fixture
def encoded(data):
    return encode_files((data,), TOKENIZER, max_tokens=1024)


def test_prompt_and_response_are_encoded_as_generation_will_see_them(encoded, support_records):
    record = support_records(20)[4]
    prompt = token_ids(TOKENIZER, [prompt_text(TOKENIZER, record)])[0]
    response = [*token_ids(TOKENIZER, [record.completion])[0], TOKENIZER.eos_token_id]
    start, middle, end = encoded.starts[4], encoded.responses[4], encoded.starts[5]
    assert encoded.ids[start:middle].tolist() == prompt
    assert encoded.ids[middle:end].tolist() == response


def test_longer_records_are_left_out_whole_and_counted(tmp_path, support_records, write_lines):
    records = [*support_records(6), Record.of("x" * 900, completion="never cut")]
    path = write_lines(tmp_path / "long.jsonl", records)
    encoded = encode_files((path,), TOKENIZER, max_tokens=400)
    assert (len(encoded), encoded.too_long) == (6, 1)
    assert encoded.lengths.max() <= 400


def test_a_limit_that_leaves_nothing_is_an_error_that_says_what_would_fit(data):
    with pytest.raises(
        DataError, match=r"all 20 records are longer than max_tokens=50 \(the shortest has \d+"
    ):
        encode_files((data,), TOKENIZER, max_tokens=50)


def test_a_record_without_a_completion_is_an_error_that_counts_to_it(tmp_path, support_records, write_lines):
    path = write_lines(tmp_path / "bare.jsonl", [*support_records(2), Record.of("what now?")])
    with pytest.raises(DataError, match="record 3"):
        encode_files((path,), TOKENIZER, max_tokens=1024)


def test_the_common_beginning_is_found_and_leaves_each_prompt_something(encoded):
    system = token_ids(TOKENIZER, [prompt_text(TOKENIZER, Record.of("", system="Sort"))])[0]
    assert encoded.prefix > len(system)
    starts, first = encoded.starts[:-1], encoded.ids[: encoded.prefix]
    assert all((encoded.ids[start : start + encoded.prefix] == first).all() for start in starts)
    assert (encoded.responses - starts > encoded.prefix).all()


def test_prompts_with_nothing_in_common_have_no_common_beginning(tmp_path, write_lines):
    path = write_lines(
        tmp_path / "mixed.jsonl", [Record.of("a", system=s, completion="b") for s in ("one", "two")]
    )
    encoded = encode_files((path,), TOKENIZER, max_tokens=1024)
    assert encoded.prefix == 0


@given(count=st.integers(1, 300), size=st.integers(1, 9), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_an_epoch_has_every_record_once_and_is_the_same_each_time(count, size, seed, epoch):
    lengths = np.random.default_rng(0).integers(1, 50, count)
    batches = epoch_batches(lengths, np.arange(count), batch_size=size, seed=seed, epoch=epoch)
    again = epoch_batches(lengths, np.arange(count), batch_size=size, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert len(batches) == -(-count // size)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_records_of_like_length_share_a_batch():
    lengths = np.random.default_rng(1).integers(10, 200, 640)
    batches = epoch_batches(lengths, np.arange(640), batch_size=32, seed=0, epoch=0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded / lengths.sum() < 1.08
    assert [lengths[batch].max() for batch in batches] != sorted(lengths[batch].max() for batch in batches)


def test_held_out_records_are_not_learned_from(encoded):
    learn, held = held_out(encoded, 0.2, seed=0)
    assert sorted([*learn, *held]) == list(range(20))
    assert len(held) == 4
    assert held.tolist() != held_out(encoded, 0.2, seed=1)[1].tolist()


def test_a_file_of_its_own_is_held_out_whole(data, tmp_path, support_records, write_lines):
    extra = write_lines(tmp_path / "validation.jsonl", support_records(3))
    learn, held = held_out(encode_files((data, extra), TOKENIZER, max_tokens=1024), 0.0, seed=0)
    assert (learn.tolist(), held.tolist()) == (list(range(20)), [20, 21, 22])


def test_positions_point_at_what_predicts_each_response_token(encoded):
    numbers = np.array([7, 2, 11])
    batch = collate(encoded, numbers, padding=0)
    flat = batch.ids.reshape(-1)
    responses = [encoded.ids[encoded.responses[n] : encoded.starts[n + 1]] for n in numbers]
    assert batch.targets.tolist() == np.concatenate(responses).tolist()
    assert flat[batch.positions + 1].tolist() == batch.targets.tolist()
    assert batch.tokens == encoded.lengths[numbers].sum()
    before = np.concatenate(([0], np.cumsum(encoded.response_lengths)))
    assert (
        batch.rows.tolist() == np.concatenate([np.arange(before[n], before[n + 1]) for n in numbers]).tolist()
    )
