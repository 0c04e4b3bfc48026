"""A student is kept good while its traffic drifts: it is distilled again from its own logs, promoted, or not, and rolled back."""

from __future__ import annotations

import random

import pytest

import bedrock_distill as bd
from bedrock_distill.local import Cloud, TrainingSettings
from bedrock_distill.records.writing import write_records
from bedrock_distill.refinement import lineage
from bedrock_distill.refinement.lineage import Distilled

pytest.importorskip("torch")
pytestmark = pytest.mark.slow(seconds=30)

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"
TEAMS = {
    "Invoice": "billing",
    "Parcel": "shipping",
    "Password": "account",
    "Refund": "money",
    "Crash": "bugs",
}
ASK = {"max_tokens": 20, "temperature": 0}


class Teacher:
    """Sorts mail by its first word, or, on a bad day, by chance."""

    def __init__(self):
        self.confused = False

    def __call__(self, record):
        if self.confused:
            return random.Random(record.prompt_text).choice(list(TEAMS.values()))
        return TEAMS[record.prompt_text.split()[0]]


class Shop:
    """A student that sorts a shop's mail, and its traffic."""

    def __init__(self, cloud, teacher, folder):
        self.cloud, self.teacher, self.random = cloud, teacher, random.Random(1)
        self.session = cloud.session(state_dir=folder / "state" / "journal")
        cloud.bucket("acme-ml")
        cloud.bucket("acme-logs")
        self.session.apply(self.session.plan(bd.InvocationLogging(bucket="acme-logs", prefix="traffic")))
        write_records(folder / "train.jsonl", self.mail(["Invoice", "Parcel"], 160))
        write_records(folder / "held.jsonl", self.mail(["Invoice", "Parcel"], 40))
        distillation = bd.Distillation(
            name="mail",
            teacher=TEACHER,
            student=STUDENT,
            data=bd.Prompts(folder / "train.jsonl"),
            output="s3://acme-ml/distill/",
            max_response_tokens=20,
        )
        model = self.session.apply(self.session.plan(distillation)).result()
        self.student = self.session.deploy(bd.OnDemandDeployment(model=model, name="mail"))
        self.spec = bd.Refinement(
            name="mail",
            deployment=self.student.model_id,
            distillation=distillation,
            evaluation=folder / "held.jsonl",
            logs=bd.InvocationLogs("s3://acme-logs/traffic", where=bd.Metadata("project") == "mail"),
            gate=bd.Gate(min_slice_retention=0.8),
            ask_teacher=60,
        )
        self.probes = self.mail(list(TEAMS), 40)

    def mail(self, words, count):
        endings = ("is wrong", "is late", "please help", "since monday")
        return [
            bd.Record.of(
                f"{self.random.choice(words)} {self.random.randrange(100_000)} {self.random.choice(endings)}"
            )
            for _ in range(count)
        ]

    def traffic(self, words, count=120):
        """The student answers mail, and an hour passes."""
        for record in self.mail(words, count):
            self.student.chat(record, metadata={"project": "mail"}, **ASK)
        self.cloud.flush()
        self.session.clients.clock.sleep(3600)

    def answers(self):
        return [self.student.chat(record, **ASK).text.encode() for record in self.probes]

    def refine(self, *, confused=False):
        """A round; on a bad day the teacher is confused while it answers for the job."""

        def tell(text):
            self.teacher.confused = (
                confused and "distilling" in text
            )  # until the next that is told: comparing

        return bd.refine(self.session, self.spec, tell=tell)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder, teacher = tmp_path_factory.mktemp("shop"), Teacher()
    training = TrainingSettings(size="tiny", overrides={"steps": 70})
    with Cloud(teachers={TEACHER: teacher}, training=training, workdir=folder / "cloud") as cloud:
        yield Shop(cloud, teacher, folder)


def test_three_rounds_on_drifting_traffic_recover_and_roll_back(shop):
    first = shop.answers()

    shop.traffic(["Invoice", "Parcel", "Password"])
    outcome = shop.refine()
    base = outcome.report.metric.base
    assert base.retention.value < 0.9  # what served did not know of passwords
    assert outcome.promoted, str(outcome.verdict)
    assert outcome.report.retention.value > 0.95
    assert "disagreed" in outcome.choice.by_reason
    second = shop.answers()
    assert second != first

    # A teacher on a bad day makes a worse student, and nobody who asks ever meets it.
    shop.traffic(["Invoice", "Password", "Refund"])
    outcome = shop.refine(confused=True)
    assert not outcome.promoted
    assert outcome.report.retention.value < outcome.report.metric.base.retention.value
    assert next(each.name for each in outcome.verdict.criteria if not each.passed) == "gain"
    assert shop.answers() == second

    # What that round had chosen is not lost: this one starts from where the serving student stands.
    shop.traffic(["Parcel", "Refund", "Crash"])
    outcome = shop.refine()
    assert outcome.promoted, str(outcome.verdict)
    assert outcome.report.metric.base.retention.value < 0.9
    assert outcome.report.retention.value > 0.95
    assert {each.name for each in outcome.report.slices} == {f"round = {number}" for number in range(4)}

    told = lineage(shop.session, shop.spec)
    assert [event.__struct_config__.tag for event in told.events] == [
        *("opened", "distilled", "judged", "promoted"),
        *("opened", "distilled", "judged", "kept"),
        *("opened", "distilled", "judged", "promoted"),
    ]
    assert told.models[-1] == outcome.model == shop.session.attach(shop.student.model_id).status().model_arn
    third = shop.answers()

    bd.rollback(shop.session, shop.spec)
    assert shop.answers() == second
    bd.rollback(shop.session, shop.spec)
    assert shop.answers() == first
    with pytest.raises(bd.errors.PlanError, match="no way back"):
        bd.rollback(shop.session, shop.spec)
    bd.rollback(shop.session, shop.spec, to=told.models[-1])
    assert shop.answers() == third


def test_every_round_left_its_data_and_report_and_no_candidate(shop):
    told = lineage(shop.session, shop.spec)
    s3 = shop.cloud.boto3_session().client("s3")
    for number in range(1, told.rounds + 1):
        opened = next(event for event in told.events if event.round == number)
        distilled = told.of_round(number, Distilled)
        job = shop.session.job(distilled.job).describe()
        assert job["outputModelArn"] == distilled.model
        for stored in (opened.training, opened.evaluation):
            key = bd.S3Uri.parse(stored.uri).key
            body = s3.get_object(Bucket="acme-ml", Key=key)["Body"].read()
            assert body.count(b"\n") == stored.records
    assert [each["customModelDeploymentName"][:5] for each in shop.session.deployments()] == ["mail-"]
    assert len(shop.session.deployments()) == 1
