from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.errors import JobFailedError, SpecError
from bedrock_distill.records.schema import Record
from bedrock_distill.train.decoding import Request, TextStream
from bedrock_distill.train.generation import Generated, Generator, Sampling
from bedrock_distill.train.tokens import byte_tokenizer, token_ids

TOKENIZER = byte_tokenizer()
FIRST_BYTE = len(TOKENIZER) - 256


@pytest.fixture(scope="module")
def generator(lively_dir):
    with Generator(lively_dir) as generator:
        yield generator


@pytest.fixture(scope="module")
def prompts(support_records):
    return [record.prompt for record in support_records(7)]


def test_batched_single_and_streamed_answers_are_the_same_text(generator, prompts):
    batched = generator.generate(prompts, max_tokens=20)
    single = [generator.generate([prompt], max_tokens=20)[0] for prompt in prompts]
    streamed = [list(generator.stream(prompt, max_tokens=20)) for prompt in prompts]
    assert batched == single == [pieces[-1] for pieces in streamed]
    assert ["".join(pieces[:-1]) for pieces in streamed] == [answer.text for answer in batched]
    assert len({answer.text for answer in batched}) == len(prompts)


def test_the_greedy_answer_is_the_one_transformers_gives(generator, prompts, lively_dir):
    from bedrock_distill.train.students import load_model

    model = load_model(lively_dir)
    ids = torch.tensor([generator._worker.encode(prompts[0])])
    expected = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=20)[0, ids.shape[1] :]
    answer = generator.generate([prompts[0]], max_tokens=20)[0]
    assert answer.text == TOKENIZER.decode(expected, skip_special_tokens=True)


def test_callers_at_once_get_their_own_answers(generator, prompts):
    want = generator.generate(prompts, max_tokens=12)
    with ThreadPoolExecutor(len(prompts)) as pool:
        got = list(pool.map(lambda prompt: generator.generate([prompt], max_tokens=12)[0], prompts))
    assert got == want


def test_drawn_answers_follow_the_seed_whoever_is_beside_them(generator, prompts):
    drawn = {"max_tokens": 16, "temperature": 1.0, "top_p": 0.9}
    alone = generator.generate(prompts[:1], **drawn, seed=4)[0]
    assert generator.generate(prompts, **drawn, seed=4)[0] == alone
    assert generator.generate(prompts[:1], **drawn, seed=5)[0] != alone


def test_tokens_are_counted_as_the_model_reads_and_writes_them(generator, prompts):
    answer = generator.generate(prompts[:1], max_tokens=5)[0]
    assert answer.input_tokens == generator.count_tokens(prompts[0])
    assert answer.output_tokens == 5
    assert answer.stop_reason == "max_tokens"


def test_a_text_is_gone_on_with_as_it_stands(generator, prompts):
    from bedrock_distill.train.tokens import prompt_text

    asked = generator.generate(prompts[:1], max_tokens=8)[0]
    raw = prompt_text(generator._worker.tokenizer, prompts[0])
    assert generator.generate([raw], max_tokens=8) == [asked]
    assert list(generator.stream(raw, max_tokens=8))[-1] == asked
    assert generator.count_tokens("a") == 1


def test_a_completion_in_the_record_is_not_shown_to_the_model(generator, prompts):
    told = prompts[0].with_completion("billing 1000")
    assert generator.generate([told], max_tokens=8) == generator.generate(prompts[:1], max_tokens=8)


def test_a_stop_text_ends_the_answer_and_is_not_in_it(generator, prompts):
    whole = generator.generate(prompts[:1], max_tokens=20)[0].text
    stop = whole[len(whole) // 2 : len(whole) // 2 + 2]
    answer = generator.generate(prompts[:1], max_tokens=20, stop=[stop])[0]
    assert answer.text == whole[: whole.index(stop)]
    assert answer.stop_reason == "stop_sequence"


@pytest.mark.parametrize(
    ("field", "bad"),
    [("max_tokens", 0), ("temperature", -1.0), ("top_p", 0.0), ("top_p", 1.5), ("stop", [""])],
)
def test_arguments_out_of_range_are_named(generator, prompts, field, bad):
    with pytest.raises(SpecError) as caught:
        generator.generate(prompts[:1], **({"max_tokens": 4} | {field: bad}))
    assert caught.value.field == field


def test_a_prompt_that_does_not_fit_is_refused_at_once(generator):
    with pytest.raises(SpecError, match="reads 4096"):
        generator.stream(Record.of("x" * 5000), max_tokens=4)


def test_leaving_a_stream_ends_its_answer(generator, prompts):
    stream = generator.stream(prompts[0], max_tokens=4000)
    next(stream)
    stream.close()
    assert generator.generate(prompts[:1], max_tokens=2)[0].output_tokens == 2


def test_a_closed_generator_says_so(base_dir, prompts):
    generator = Generator(base_dir)
    generator.close()
    with pytest.raises(JobFailedError, match="closed"):
        generator.generate(prompts[:1], max_tokens=4)


def test_a_failure_while_answering_reaches_the_caller_and_the_next_is_served(base_dir, prompts):
    with Generator(base_dir) as generator:
        layers = generator._worker.model.base_model.layers
        generator._worker.model.base_model.layers = None
        with pytest.raises(TypeError):
            generator.generate(prompts[:1], max_tokens=4)
        generator._worker.model.base_model.layers = layers
        assert generator.generate(prompts[:1], max_tokens=4)[0].output_tokens == 4


def test_what_is_no_model_is_a_spec_error(tmp_path):
    with pytest.raises(SpecError, match="nowhere"):
        Generator(tmp_path / "nowhere")


def spoken(ids, stop=()):
    """Pieces that a stream gives for these tokens, and whether a stop text ended it."""
    stream = TextStream(TOKENIZER, stop)
    pieces = []
    for token in ids:
        pieces.append(stream.add(token))
        if stream.stopped:
            return pieces, True
    pieces.append(stream.finish())
    return pieces, stream.stopped


@given(st.text(alphabet="ab é€😀\n", max_size=30))
def test_characters_of_many_bytes_come_whole(text):
    pieces, _ = spoken(token_ids(TOKENIZER, [text])[0])
    assert "".join(pieces) == text
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)


@given(st.binary(max_size=12))
def test_bytes_that_are_no_text_end_as_their_replacement(data):
    ids = [FIRST_BYTE + byte for byte in data]
    pieces, _ = spoken(ids)
    assert "".join(pieces) == TOKENIZER.decode(ids)


@given(
    st.text(alphabet="abc", max_size=25),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=3), max_size=2),
)
def test_text_before_the_first_stop_text_comes_and_nothing_of_it(text, stops):
    pieces, stopped = spoken(token_ids(TOKENIZER, [text])[0], stops)
    places = [text.find(stop) for stop in stops if stop in text]
    assert stopped == bool(places)
    if len(stops) == 1 or not places:
        assert "".join(pieces) == (text[: min(places)] if places else text)


def test_an_end_token_ends_the_turn_and_is_counted():
    request = Request(
        prompt=[1], sampling=Sampling(max_tokens=9), tokenizer=TOKENIZER, ends=frozenset({2}), room=99
    )
    letter = token_ids(TOKENIZER, ["h"])[0][0]
    assert request.take(torch.eye(259)[letter]) == letter
    assert request.take(torch.eye(259)[2]) is None
    assert [request.pieces.get(), request.pieces.get()] == [
        "h",
        Generated(text="h", input_tokens=1, output_tokens=2, stop_reason="end_turn"),
    ]


def test_top_p_draws_from_the_likeliest_only():
    probabilities = torch.full((259,), 1e-4)
    probabilities[[10, 11]] = torch.tensor([0.6, 0.3])
    drawn = set()
    for seed in range(40):
        sampling = Sampling(max_tokens=9, temperature=1.0, top_p=0.5, seed=seed)
        request = Request(prompt=[1], sampling=sampling, tokenizer=TOKENIZER, ends=frozenset(), room=99)
        drawn.add(request.take(probabilities.log()))
    assert drawn == {10}
