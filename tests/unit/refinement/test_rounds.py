"""Rounds of which something is odd: what was read, what serves, who else is at work, and what died halfway."""

from __future__ import annotations

from datetime import timedelta

import pytest

import bedrock_distill as bd
from bedrock_distill.errors import ConflictError, DataError, NotFoundError, PlanError, SpecError
from bedrock_distill.evaluation import TokenPrice
from bedrock_distill.local import Fault
from bedrock_distill.records.writing import write_records
from bedrock_distill.refinement import lineage, outlook
from bedrock_distill.refinement.finding import find
from bedrock_distill.refinement.lineage import Distilled, Opened
from bedrock_distill.refinement.running import _check_prices, _run
from bedrock_distill.refinement.steps import open_round

TEACHER = "amazon.nova-pro-v1:0"


def tags(told):
    return [event.__struct_config__.tag for event in told.events]


@pytest.fixture
def serves(session, serving):
    """The model that the deployment serves now."""
    return lambda: session.attach(serving.deployment).status().model_arn


def _read(session, spec):
    """A run that knows what happened so far."""
    run = _run(session, spec)
    run.store.read()
    return run


def changed(spec, **changes):
    return spec.model_copy(update=changes)


def test_the_calls_of_a_round_are_no_traffic_of_the_next(session, serving):
    spec = changed(serving, max_new=6)
    assert bd.refine(session, spec).promoted
    session.clients.clock.sleep(60)
    found = outlook(session, spec)
    assert (found.student_calls, found.teacher_calls, found.enough) == (0, 0, False)


def test_what_was_called_before_a_round_and_logged_after_it_counts_in_the_next(session, cloud, serving, ask):
    student = session.model(serving.deployment)
    student.chat("Logged late", max_tokens=1, temperature=0)
    with_promotion = bd.refine(session, changed(serving, max_new=6)).lineage
    ask(student, "Password", 1)  # asked before, and once more now
    found = find(_read(session, serving))
    assert {prompt.prompt_text for prompt in found.traffic.asked} == {
        "Logged late",
        "Password number 0 of many",
    }
    assert (found.traffic.student_calls, found.traffic.teacher_calls) == (2, 0)
    assert len(found.looked_at) == 21
    first = with_promotion.of_round(1, Opened)
    assert first.since is None
    assert timedelta(minutes=59) < first.until - found.since < timedelta(hours=1)


def test_what_comes_in_while_a_round_is_under_way_counts_in_the_next(session, serving, ask):
    other = session.model(serving.deployment)
    outcome = bd.refine(
        session, serving, tell=lambda text: ask(other, "Refund", 20) if "distilling" in text else None
    )
    assert outcome.promoted
    assert outlook(session, serving).student_calls == 20


def test_what_is_too_long_to_be_trained_on_is_neither_learned_nor_compared_on(session, cloud, serving):
    for number in range(9):
        session.model(TEACHER).chat(f"{number} " + "word " * 5000, max_tokens=1)
    cloud.flush()
    outcome = bd.refine(session, changed(serving, hold_out_share=0.5))
    assert outcome.promoted
    assert outcome.choice.left_out["against Bedrock's rules"] == 9
    assert len(outcome.choice.new) + len(outcome.choice.held_out) == 20


def test_a_long_name_makes_a_candidates_name(session, serving):
    name = "a" * 29 + "-of-the-refinement"[:11]
    assert name[29] == "-"
    assert bd.refine(session, bd.Refinement(**{**dict(serving), "name": name})).promoted


def test_two_deployments_are_not_refined_under_one_name(session, model, serving, serves):
    other = session.deploy(bd.OnDemandDeployment(model=model, name="other"))
    assert bd.refine(session, serving).promoted
    for does in (bd.refine, outlook, bd.rollback):
        with pytest.raises(PlanError, match=r"those of .*, and not of .*a name of its own"):
            does(session, changed(serving, deployment=other.model_id))
    by_name = changed(serving, deployment=session.attach(serving.deployment).status().name)
    assert bd.rollback(session, by_name).serving == serves() == model.arn


def test_a_provisioned_throughput_is_refined_in_place_and_rolled_back(session, model, ask, make_spec):
    serving = session.deploy(bd.ProvisionedThroughput(model=model, name="bought", accept_hourly_cost=True))
    ask(serving)
    spec = make_spec(deployment=serving.model_id, gate=bd.Gate(min_gain=-0.9), min_new=5)
    outcome = bd.refine(session, spec)
    assert outcome.promoted
    assert session.attach(serving.model_id).status().model_arn == outcome.model
    assert bd.rollback(session, spec).serving == model.arn
    assert not session.deployments()


def test_a_rollback_goes_to_what_served_and_nowhere_else(session, serving, serves, model):
    with pytest.raises(PlanError, match="by its lineage it has served no other"):
        bd.rollback(session, serving)
    better = bd.refine(session, serving).model
    with pytest.raises(PlanError, match="no way back to arn:other"):
        bd.rollback(session, serving, to="arn:other")
    assert bd.rollback(session, serving, to=better).events[-1] == lineage(session, serving).events[-1]
    assert bd.rollback(session, serving).serving == serves() == model.arn
    with pytest.raises(PlanError, match="no way back to an earlier model"):
        bd.rollback(session, serving)
    session.clients.call("bedrock", "delete_custom_model", modelIdentifier=better)
    before = lineage(session, serving)
    with pytest.raises(NotFoundError, match=better):
        bd.rollback(session, serving, to=better)
    assert lineage(session, serving) == before
    assert serves() == model.arn


def test_an_update_that_died_before_it_was_written_down_is_written_down_and_done_once(
    session, cloud, serving, serves, model
):
    update = {"operation": "UpdateCustomModelDeployment", "when": "after"}
    with cloud.faults.crashing(1, **update) as crash:
        bd.refine(session, serving)
    assert crash.happened
    better = serves()
    with cloud.faults.crashing(1, **update) as crash:
        bd.rollback(session, serving)
    assert crash.happened
    assert tags(lineage(session, serving))[-2:] == ["judged", "promoted"]
    told = bd.rollback(session, serving)
    assert tags(told)[-2:] == ["promoted", "rolled-back"]
    assert (told.events[-1].before, told.events[-1].after) == (better, model.arn)
    assert serves() == model.arn


@pytest.mark.parametrize("clock", ["polls"])
def test_an_update_that_is_under_way_comes_to_its_end_first(session, cloud, serving, serves, clock):
    first = serves()
    update = {"operation": "UpdateCustomModelDeployment", "when": "after"}
    with cloud.faults.crashing(1, **update) as crash:
        bd.refine(session, serving)
    assert crash.happened
    assert session.attach(serving.deployment).describe()["updateDetails"]["updateStatus"] == "Updating"
    assert bd.refine(session, serving).promoted
    with cloud.faults.crashing(1, **update):
        bd.rollback(session, serving)
    assert bd.rollback(session, serving).serving == serves() == first
    assert tags(lineage(session, serving)) == ["opened", "distilled", "judged", "promoted", "rolled-back"]


def test_a_rollback_ends_the_round_that_is_open(session, cloud, serving, serves, ask):
    first = serves()
    assert bd.refine(session, serving).promoted
    ask(session.model(serving.deployment), "Refund")
    with cloud.faults.crashing(1, operation="CreateModelCustomizationJob"):
        bd.refine(session, serving)
    assert lineage(session, serving).open_round.round == 2
    assert bd.rollback(session, serving).serving == serves() == first
    outcome = bd.refine(session, serving)
    assert tags(outcome.lineage)[4:8] == ["opened", "rolled-back", "ended", "opened"]
    assert outcome.choice.left_out["in the evaluation already"] > 0  # what was held out once stays so


def test_a_deployment_that_is_changed_during_the_comparison_keeps_what_it_was_given(session, serving, serves):
    own = changed(serving.distillation, name="own")
    other = session.apply(session.plan(own)).result()
    handle = session.attach(serving.deployment)

    def interfere(text):
        if "comparing" in text:
            handle.update(other)
            handle.wait()

    with pytest.raises(PlanError, match="was changed while round 1 was under way"):
        bd.refine(session, serving, tell=interfere)
    assert serves() == other.arn
    assert tags(lineage(session, serving)) == ["opened", "distilled", "judged", "ended"]
    assert len(session.deployments()) == 1


def test_a_candidate_that_somebody_else_lets_serve_unseen_ends_the_round(session, cloud, serving, serves):
    with cloud.faults.crashing(1, operation="CreateCustomModelDeployment"):
        bd.refine(session, serving)
    unseen = lineage(session, serving).events[-1].model
    handle = session.attach(serving.deployment)
    handle.update(unseen)
    handle.wait()
    told = bd.refine(session, serving).lineage  # there is nothing new to learn
    assert tags(told) == ["opened", "distilled", "ended"]
    assert serves() == unseen


def test_a_candidate_that_was_turned_down_is_not_judged_again_by_the_same_gate(session, serving):
    strict = changed(serving, gate=bd.Gate(min_gain=0.5))
    assert bd.refine(session, strict).round == 1
    told = []
    assert bd.refine(session, strict, tell=told.append).round is None
    assert told[-1] == "There is nothing new to learn since round 1, which was not promoted."
    assert len(lineage(session, strict).events) == 4
    assert outlook(session, strict).turned_down == 1
    assert outlook(session, serving).turned_down is None
    outcome = bd.refine(session, serving)  # by another gate
    assert (outcome.round, outcome.promoted) == (2, True)


def test_at_a_prompt_a_round_is_a_line_and_in_a_notebook_what_was_chosen_and_judged(
    session, serving, in_a_notebook
):
    before = outlook(session, serving)
    assert in_a_notebook(before).startswith(f"{before.student_calls} calls of the student and ")
    outcome = bd.refine(session, serving)
    shown = in_a_notebook(outcome)
    assert str(outcome.choice) in shown
    assert str(outcome.report) in shown
    assert in_a_notebook(outcome.verdict) in shown
    assert shown.endswith(f"serves {outcome.model}, promoted in round 1.")
    assert in_a_notebook(outcome.lineage).count("\n") == 3
    assert "\n" not in repr(outcome) + repr(outcome.lineage) + repr(before)


def test_a_candidate_that_was_deleted_ends_the_round(session, cloud, serving, ask):
    with cloud.faults.crashing(1, operation="CreateCustomModelDeployment"):
        bd.refine(session, serving)
    before = lineage(session, serving)
    candidate = before.of_round(1, Distilled).model
    session.clients.call("bedrock", "delete_custom_model", modelIdentifier=candidate)
    ask(session.model(serving.deployment), "Refund")
    told = []
    outcome = bd.refine(session, serving, tell=told.append)
    assert (outcome.round, outcome.promoted) == (2, True)
    assert any(f"{candidate} was deleted" in text for text in told)
    assert tags(outcome.lineage)[len(before.events) :][:2] == ["ended", "opened"]


def test_a_round_that_could_not_be_distilled_is_not_opened(session, serving, tmp_path, prompts):
    write_records(tmp_path / "few.jsonl", prompts("Invoice", 20))
    few = changed(serving.distillation, data=bd.Prompts(tmp_path / "few.jsonl"))
    with pytest.raises(DataError, match="no fewer than 100"):
        bd.refine(session, changed(serving, distillation=few))
    assert not lineage(session, serving).events
    assert bd.refine(session, serving).promoted


def test_a_gate_on_costs_without_prices_is_refused_before_anything_is_paid(session, serving):
    spec = changed(serving, gate=bd.Gate(min_gain=-0.9, max_cost_ratio=0.5))
    price = TokenPrice(input_usd_per_1k=0.1, output_usd_per_1k=0.4)
    with pytest.raises(
        SpecError, match=r"max_cost_ratio is 0\.5, and what the student and the teacher costs"
    ):
        bd.refine(session, spec)
    with pytest.raises(SpecError, match="what the teacher costs is unknown"):
        bd.refine(session, spec, prices={"student": price})
    assert not lineage(session, spec).events
    _check_prices(_run(session, spec, prices={"student": price, TEACHER: price}))


def test_of_two_runs_that_open_a_round_at_once_the_files_of_the_first_stay(session, serving, ask, tmp_path):
    runs = [_read(session, serving), _read(session, serving)]
    first = find(runs[0])
    ask(session.model(serving.deployment), "Refund")
    second = find(runs[1])
    opened = open_round(runs[0], first)
    with pytest.raises(ConflictError, match="Somebody else is refining 'mail'"):
        open_round(runs[1], second)
    for stored in (opened.training, opened.evaluation):
        runs[0].store.get(stored, tmp_path / "fetched.jsonl")
    assert lineage(session, serving).of_round(1, Opened) == opened


def test_a_throttled_teacher_is_told_of_and_makes_no_round(session, cloud, serving):
    cloud.faults.add(Fault(operation="Converse", code="ThrottlingException", resource=TEACHER))
    told = []
    assert bd.refine(session, serving, tell=told.append).round is None
    assert any("The teacher left" in text and "unanswered" in text for text in told)
    assert not lineage(session, serving).events
    assert len(session.jobs()) == 1


def test_empty_logs_make_no_round_and_missing_things_are_named(session, cloud, serving):
    cloud.bucket("quiet")
    quiet = changed(serving, logs=bd.InvocationLogs("s3://quiet/traffic"))
    assert not outlook(session, quiet).enough
    assert bd.refine(session, quiet).round is None
    with pytest.raises(NotFoundError, match="s3://nowhere/traffic"):
        bd.refine(session, changed(serving, logs=bd.InvocationLogs("s3://nowhere/traffic")))
    gone = changed(serving.distillation, output="s3://gone/distill/")
    for does in (bd.refine, outlook, lineage, bd.rollback):
        with pytest.raises(NotFoundError, match="s3://gone/distill/lineage/mail"):
            does(session, changed(serving, distillation=gone))
    with pytest.raises(SpecError, match="lies in us-east-1, and this session is for us-west-2"):
        bd.refine(cloud.session(region="us-west-2"), serving)
    job = session.jobs()[0]["jobArn"]
    with pytest.raises(SpecError, match="is a DistillationJob, and what can be refined in place"):
        bd.refine(session, changed(serving, deployment=job))
    session.attach(serving.deployment).delete()
    for does in (bd.refine, outlook, bd.rollback):
        with pytest.raises(NotFoundError, match=serving.deployment):
            does(session, serving)
    assert not lineage(session, serving).events
