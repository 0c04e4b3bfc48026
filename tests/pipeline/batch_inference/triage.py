"""A teacher and a student that sort questions into topics. Test files load it by path."""

from __future__ import annotations

from bedrock_distill.local.teachers import as_teacher

TEACHER, STUDENT = "amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0"
TOPICS = ("billing", "shipping", "returns")


def number_of(record):
    return int(record.prompt_text.split()[1].rstrip("?"))


def teach(record):
    return TOPICS[number_of(record) % 3]


def study(record):
    """Right four times of five."""
    return "none" if number_of(record) % 5 == 0 else teach(record)


def set_teacher(cloud, answer):
    """Let a function of the record stand for the teacher."""
    cloud.world.teachers = {**cloud.world.teachers, TEACHER: as_teacher(answer)}


def run(session, spec):
    """The job of a spec, once it is over."""
    job = session.apply(session.plan(spec))
    job.wait()
    return job
