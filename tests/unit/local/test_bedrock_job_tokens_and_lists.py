"""Customization jobs as an account has them: client tokens, the quota, lists and regions."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def stage(shared):
    return shared.empty().ready()


# Tokens and the quota -------------------------------------------------------------------------------------------


def test_the_same_token_and_request_give_the_same_job(stage):
    asked = stage.request(clientRequestToken="token-1")
    first = stage.bedrock.create_model_customization_job(**asked)["jobArn"]
    stage.finish()
    assert stage.bedrock.create_model_customization_job(**asked)["jobArn"] == first
    assert len(stage.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"]) == 1


def test_the_same_token_with_another_request_is_a_conflict(stage):
    stage.create(clientRequestToken="token-1")
    with pytest.raises(stage.bedrock.exceptions.ConflictException, match="other parameters"):
        stage.create("other", clientRequestToken="token-1")


def test_requests_with_one_token_at_the_same_time_make_one_job(stage):
    arns = []
    threads = [
        threading.Thread(target=lambda: arns.append(stage.create(clientRequestToken="token-1")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arns) == 6
    assert len(set(arns)) == 1


def test_more_jobs_than_the_quota_are_refused_until_one_ends(stage):
    stage.hold()
    for number in range(stage.world.catalog.quota("scheduled_customization_jobs")):
        stage.create(f"job-{number}")
    with pytest.raises(
        stage.bedrock.exceptions.ServiceQuotaExceededException, match="scheduled customization jobs"
    ):
        stage.create("one-more")
    stage.trainer.gate.set()
    stage.cloud.clock.settle(20)
    stage.create("one-more")


# Lists ----------------------------------------------------------------------------------------------------------


def listed(stage, **filters):
    pages = stage.bedrock.get_paginator("list_model_customization_jobs").paginate(
        **filters, PaginationConfig={"PageSize": 2}
    )
    return [job["jobName"] for shown in pages for job in shown["modelCustomizationJobSummaries"]]


def test_jobs_are_listed_by_page_filter_and_order(stage):
    stage.prompts(99)
    stage.create("alpha-1")
    failed = stage.finish("alpha-1")
    stage.prompts(100)
    for name in ("alpha-2", "beta-1", "beta-2"):
        stage.create(name)
        stage.finish(name)
    assert listed(stage) == ["beta-2", "beta-1", "alpha-2", "alpha-1"]
    assert listed(stage, sortOrder="Ascending")[0] == "alpha-1"
    assert listed(stage, statusEquals="Failed") == ["alpha-1"]
    assert listed(stage, nameContains="alpha") == ["alpha-2", "alpha-1"]
    assert listed(stage, creationTimeAfter=failed["creationTime"])[-1] == "alpha-2"
    assert "alpha-1" not in listed(stage, creationTimeBefore=failed["creationTime"])
    (summary,) = stage.bedrock.list_model_customization_jobs(maxResults=1)["modelCustomizationJobSummaries"]
    assert summary["customModelArn"] == stage.job("beta-2")["outputModelArn"]


def test_regions_keep_their_own_jobs(stage):
    stage.create()
    west = stage.cloud.boto3_session("us-west-2").client("bedrock")
    assert west.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []
    with pytest.raises(west.exceptions.ResourceNotFoundException):
        west.get_model_customization_job(jobIdentifier="triage")
