"""One student, distilled by a job and then left as it is, says the same wherever it is served and however it is asked."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import bedrock_distill as bd
from bedrock_distill.chat.dialects import endpoint_dialect, imported_dialect
from bedrock_distill.chat.templates import ChatTemplate
from bedrock_distill.local import Cloud, TrainingSettings
from bedrock_distill.models import Folder
from bedrock_distill.records.writing import write_records

pytest.importorskip("torch")
pytestmark = pytest.mark.slow(seconds=30)

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
TOPICS = {
    "Invoice": "billing → Rechnung prüfen ✓",
    "Parcel": "shipping → 荷物を探す 📦",
    "Password": "account → réinitialiser l'accès",
}
"""What the mail is about, and what the teacher says of it: letters of one to four bytes, for a stream to be cut inside."""

ASK = {"max_tokens": 40, "temperature": 0}
CONVERSATION = [
    bd.Message.of("user", "Invoice 1 is wrong, please help"),
    bd.Message.of("assistant", TOPICS["Invoice"]),
    bd.Message.of("user", "Password 2 is wrong, please help"),
]
QUESTIONS = {
    "an invoice": ("Invoice 8211 is wrong, please help", {}),
    "a parcel": ("Parcel 9077 is wrong, please help", {}),
    "a password": ("Password 5530 is wrong, please help", {}),
    "mail of another kind": ("What about my invoice? ü 你好 🙂", {}),
    "white space around": ("\n  Parcel  8 \t\n", {}),
    "text that looks like a token of the template": ("Hello <|im_end|> Parcel <s>", {}),
    "a system prompt": (bd.Record.of("Parcel 77 is late", system="Sort the mail."), {}),
    "a conversation": (CONVERSATION, {}),
    "an answer cut off": ("Parcel 9077 is wrong, please help", {"max_tokens": 3}),
    "a stop text": ("Parcel 9077 is wrong, please help", {"stop": "を"}),
}
"""What is asked -> the prompt, and options of its own."""

CONTAINERS = {"lmi": bd.LMI(), "vllm": bd.VLLM(), "tgi": bd.TGI(), "trtllm": bd.TensorRTLLM()}
PLACES = ("on demand", "provisioned", "imported from S3", "imported from a directory", *CONTAINERS)


def told(reply):
    """What must not depend on the place."""
    return reply.text, reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens


def digest(body):
    return hashlib.sha256(body).hexdigest()


def teacher(record):
    """Sorts mail by its first word."""
    return TOPICS[record.prompt_text.split()[0]]


@dataclass(frozen=True)
class Everywhere:
    """A cloud in which one student is served in every place."""

    cloud: Cloud
    url: str
    """Of the same cloud, over HTTP."""
    student: str
    """The directory with the student's files."""
    places: dict[str, str] = field(default_factory=dict)
    """Place -> what to call."""

    def session(self, door):
        """A session through a door: `process`, or `http` as another program would have it."""
        return self.cloud.session(**({"endpoint_url": self.url} if door == "http" else {}))


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    folder = tmp_path_factory.mktemp("everywhere")
    numbers = random.Random(1)
    mail = [f"{topic} {numbers.randrange(10_000)} is wrong, please help" for topic in TOPICS] * 60
    write_records(folder / "mail.jsonl", [bd.Record.of(f"{text} {i}") for i, text in enumerate(mail)])
    training = TrainingSettings(size="tiny", overrides={"steps": 40})
    with Cloud(teachers={TEACHER: teacher}, training=training, workdir=folder / "cloud") as cloud:
        cloud.bucket("acme-ml")
        session = cloud.session()
        job = bd.Distillation(
            name="triage",
            teacher=TEACHER,
            student=STUDENT,
            data=bd.Prompts(folder / "mail.jsonl"),
            output="s3://acme-ml/distill/",
        )
        model = session.apply(session.plan(job)).result(timeout_s=7200)
        # AWS keeps the weights of what it has distilled; the local cloud leaves them where it works.
        [student] = folder.glob("cloud/*/custom-models/*")
        s3 = cloud.boto3_session().client("s3")
        for path in student.iterdir():
            s3.upload_file(str(path), "acme-ml", f"students/triage/{path.name}")
        served = Everywhere(cloud, cloud.serve().url, str(student))
        served.places.update(_serve(session, model, str(student)))
        yield served


def _serve(session, model, student):
    """Serve it in every place; what is made of a directory stages it itself."""
    deployments = {
        "on demand": bd.OnDemandDeployment(model=model),
        "provisioned": bd.ProvisionedThroughput(model=model, name="triage", accept_hourly_cost=True),
        **{
            name: bd.Endpoint(name=name, model=student, container=container, staging="s3://acme-ml/")
            for name, container in CONTAINERS.items()
        },
    }
    handles = {place: session.apply(session.plan(spec)) for place, spec in deployments.items()}
    for handle in handles.values():
        handle.wait()
    imports = {
        "imported from S3": bd.ModelImport(name="from-s3", model="s3://acme-ml/students/triage/"),
        "imported from a directory": bd.ModelImport(name="own", model=student, staging="s3://acme-ml/"),
    }
    models = {place: session.apply(session.plan(spec)).result() for place, spec in imports.items()}
    return {place: handle.arn for place, handle in {**handles, **models}.items()}


@pytest.fixture(scope="module")
def expected(everywhere):
    """What the student says on demand, in one piece."""
    target = everywhere.session("process").model(everywhere.places["on demand"])
    return {what: told(target.chat(prompt, **ASK | more)) for what, (prompt, more) in QUESTIONS.items()}


def test_the_student_has_learned_what_its_teacher_does(expected):
    assert [text for text, *_ in expected.values()][:3] == list(TOPICS.values())
    assert expected["a stop text"][:2] == ("shipping → 荷物", "stop_sequence")
    assert expected["an answer cut off"][1] == "max_tokens"


@pytest.mark.parametrize("door", ["process", "http"])
@pytest.mark.parametrize("place", PLACES)
def test_every_place_says_the_same_streamed_or_not_through_either_door(everywhere, expected, place, door):
    target = everywhere.session(door).model(everywhere.places[place])
    everywhere.cloud.calls.clear()
    for what, (prompt, more) in QUESTIONS.items():
        assert told(target.chat(prompt, **ASK | more)) == expected[what], what
        stream = target.stream(prompt, **ASK | more)
        pieces = list(stream)
        assert told(stream.reply) == expected[what], what
        assert "".join(pieces) == stream.reply.text
        assert len(pieces) > 1 or expected[what][-1] < 5, "a stream comes in pieces"
    assert {call.door for call in everywhere.cloud.calls} == {door}


WAYS = {
    "Bedrock's completion": lambda template: imported_dialect("BedrockCompletion", template=template),
    "OpenAI's completion": lambda template: imported_dialect("OpenAICompletion", template=template),
    "OpenAI's chat": lambda _: imported_dialect("OpenAIChatCompletion"),
    "lmi": lambda template: endpoint_dialect("lmi", raw=True, template=template),
    "trtllm": lambda template: endpoint_dialect("lmi", raw=True, template=template),
    "tgi": lambda template: endpoint_dialect("tgi", raw=True, template=template),
    "vllm": lambda template: endpoint_dialect("openai", raw=True, template=template, served_name="model"),
}
"""Other ways to ask an imported model (the first three) and endpoints than the one that is chosen for them."""


@pytest.mark.parametrize("way", WAYS)
def test_the_other_ways_to_ask_bring_the_same_text_with_the_students_own_template(everywhere, expected, way):
    template = ChatTemplate.of(Folder(Path(everywhere.student)))
    name = way if way in CONTAINERS else everywhere.places["imported from S3"]
    target = bd.Target(everywhere.session("process").clients, name, dialect=WAYS[way](template))
    for what, (prompt, more) in QUESTIONS.items():
        if way == "Bedrock's completion" and "stop" in more:
            continue  # it has none, and says so
        assert target.chat(prompt, **ASK | more).text == expected[what][0], what
        assert "".join(target.stream(prompt, **ASK | more)) == expected[what][0], what


def test_what_is_served_is_what_was_distilled_to_the_byte(everywhere):
    s3 = everywhere.cloud.boto3_session().client("s3")
    bodies = {
        item["Key"]: s3.get_object(Bucket="acme-ml", Key=item["Key"])["Body"].read()
        for item in s3.list_objects_v2(Bucket="acme-ml", Prefix="models/")["Contents"]
    }
    staged = {key.rpartition("/")[2]: digest(body) for key, body in bodies.items()}
    student = {path.name: digest(path.read_bytes()) for path in Path(everywhere.student).iterdir()}
    assert len(staged) == len(bodies), "one directory was staged, once, for all that serve it"
    assert staged.items() <= student.items()
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= staged.keys()
