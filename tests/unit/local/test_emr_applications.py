"""EMR Serverless in the local cloud: applications, their states, and what is refused."""

from __future__ import annotations

import runpy
import threading
from pathlib import Path

import botocore.session
import pytest

_stage = runpy.run_path(str(Path(__file__).parent / "emr_stage.py"))
SPARK, Driver, application, ended, refusal, settled, submit = (
    _stage[name] for name in ("SPARK", "Driver", "application", "ended", "refusal", "settled", "submit")
)

MODEL = botocore.session.get_session().get_service_model("emr-serverless")


def test_an_application_is_created_started_stopped_and_deleted_look_by_look(open_emr):
    _, emr = open_emr(Driver(), clock="polls")
    made = emr.create_application(name="a", **SPARK)

    def look():
        return emr.get_application(applicationId=made["applicationId"])["application"]["state"]

    seen = [look(), look()]
    emr.start_application(applicationId=made["applicationId"])
    seen += [look(), look()]
    emr.stop_application(applicationId=made["applicationId"])
    seen += [look(), look()]
    emr.delete_application(applicationId=made["applicationId"])
    seen.append(look())
    assert seen == [
        "CREATING",
        "CREATED",
        "STARTING",
        "STARTED",
        "STOPPING",
        "STOPPED",
        "TERMINATED",
    ]
    assert set(seen) == set(MODEL.shape_for("ApplicationState").enum)


def test_an_application_tells_what_it_was_made_with_and_aws_defaults(open_emr):
    _, emr = open_emr(Driver())
    made = emr.create_application(name="a", tags={"team": "ml"}, **SPARK)
    told = emr.get_application(applicationId=made["applicationId"])["application"]
    assert (told["name"], told["type"], told["tags"]) == ("a", "Spark", {"team": "ml"})
    assert told["autoStartConfiguration"] == {"enabled": True}
    assert told["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}


def test_the_same_token_makes_one_application_and_with_other_parameters_it_is_a_conflict(open_emr):
    _, emr = open_emr(Driver())
    first = application(emr, name="a", clientToken="t")
    assert application(emr, name="a", clientToken="t") == first
    assert len(emr.list_applications()["applications"]) == 1
    assert refusal(emr.create_application, name="b", clientToken="t", **SPARK)[0] == "ConflictException"


@pytest.mark.parametrize(
    "changes", [{"type": "FLINK"}, {"releaseLabel": "spark-8"}, {"releaseLabel": "emr-eight"}]
)
def test_an_engine_or_a_release_that_there_is_not_is_refused(open_emr, changes):
    _, emr = open_emr(Driver())
    assert refusal(emr.create_application, **(SPARK | changes))[0] == "ValidationException"


def test_a_started_application_cannot_be_deleted(open_emr):
    _, emr = open_emr(Driver())
    made = application(emr)
    emr.start_application(applicationId=made)
    code, message = refusal(emr.delete_application, applicationId=made)
    assert code == "ValidationException"
    assert "[CREATED, STOPPED]. Current status: STARTED" in message


def test_an_application_with_a_run_cannot_be_stopped(open_emr):
    driver = Driver(gate=threading.Event())
    cloud, emr = open_emr(driver)
    made = application(emr)
    run = emr.start_job_run(**submit(made))
    assert driver.entered.wait(60)
    assert refusal(emr.stop_application, applicationId=made)[0] == "ValidationException"
    driver.gate.set()
    assert settled(cloud, emr, run)["state"] == "SUCCESS"
    emr.stop_application(applicationId=made)


def test_an_idle_application_stops_by_itself_and_starts_again_for_a_run(open_emr):
    cloud, emr = open_emr(Driver())
    idle = {"enabled": True, "idleTimeoutMinutes": 5}
    made = application(emr, autoStopConfiguration=idle)

    def state():
        return emr.get_application(applicationId=made)["application"]["state"]

    ended(cloud, emr, made)
    assert state() == "STARTED"
    cloud.clock.sleep(299)
    assert state() == "STARTED"
    cloud.clock.sleep(2)
    assert state() == "STOPPED"
    assert ended(cloud, emr, made)["state"] == "SUCCESS"


def test_applications_are_listed_by_page_and_by_state(open_emr):
    _, emr = open_emr(Driver())
    made = [application(emr, name=f"a{n}") for n in range(3)]
    emr.delete_application(applicationId=made[0])
    first = emr.list_applications(maxResults=2)
    second = emr.list_applications(maxResults=2, nextToken=first["nextToken"])
    listed = [item["id"] for item in first["applications"] + second["applications"]]
    assert listed == made[::-1]
    assert [item["id"] for item in emr.list_applications(states=["TERMINATED"])["applications"]] == made[:1]


@pytest.mark.parametrize(
    "operation", ["get_application", "start_application", "stop_application", "delete_application"]
)
def test_an_application_that_there_is_not_is_not_found(open_emr, operation):
    _, emr = open_emr(Driver())
    assert refusal(getattr(emr, operation), applicationId="00nosuch")[0] == "ResourceNotFoundException"
