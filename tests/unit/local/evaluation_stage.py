"""What evaluation jobs need of a stage: a role, a dataset, and a request that works. Test files load it by path."""

from __future__ import annotations

import json

ACCOUNT = "123456789012"
TEACHER = "amazon.nova-pro-v1:0"
DATASET = "s3://acme/in/evaluation.jsonl"


def evaluator(stage, name="evaluator", *, statements=None, **options):
    """A role for evaluation jobs."""
    trust = stage.trust(
        StringEquals={"aws:SourceAccount": ACCOUNT},
        ArnEquals={"aws:SourceArn": f"arn:aws:bedrock:{stage.region}:{ACCOUNT}:evaluation-job/*"},
    )
    asking = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    may = [*stage.statements(), asking] if statements is None else statements
    return stage.role(name, trust=trust, statements=may, **options)


def put_dataset(stage, lines=None):
    """A dataset: three questions with what the stage's teacher answers, the last with another reference."""
    made = (
        [
            {
                "prompt": f"Question {n}?",
                "referenceResponse": f"Answer to: Question {n}?",
                "category": f"c{n % 2}",
            }
            for n in range(2)
        ]
        + [{"prompt": "Question 2?", "referenceResponse": "Something else"}]
        if lines is None
        else lines
    )
    text = "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in made)
    return stage.put(DATASET.removeprefix("s3://acme/"), text)


def evaluation_request(
    name="measure", *, metrics=("Builtin.Accuracy",), task="QuestionAndAnswer", judge=None, **changes
):
    """A request that works, once there are the role `evaluator` and the dataset."""
    config = {
        "taskType": task,
        "dataset": {"name": "prompts", "datasetLocation": {"s3Uri": DATASET}},
        "metricNames": list(metrics),
    }
    automated = {"datasetMetricConfigs": [config]}
    if judge:
        automated["evaluatorModelConfig"] = {"bedrockEvaluatorModels": [{"modelIdentifier": judge}]}
    request = {
        "jobName": name,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/evaluator",
        "evaluationConfig": {"automated": automated},
        "inferenceConfig": {
            "models": [
                {"bedrockModel": {"modelIdentifier": TEACHER, "inferenceParams": '{"maxTokens": "64"}'}}
            ]
        },
        "outputDataConfig": {"s3Uri": "s3://acme/evaluated/"},
    }
    return {key: value for key, value in {**request, **changes}.items() if value is not None}


def start(stage, name="measure", **changes):
    return stage.bedrock.create_evaluation_job(**evaluation_request(name, **changes))["jobArn"]


def evaluate(stage, name="measure", **changes):
    """An evaluation job's description once it has ended."""
    arn = start(stage, name, **changes)
    assert stage.cloud.clock.settle(20)
    return stage.bedrock.get_evaluation_job(jobIdentifier=arn)


def lines_of(stage, job):
    """The results of a job, by prompt, and the key they lie at."""
    token = job["jobArn"].rpartition("/")[2]
    (key,) = stage.objects(f"evaluated/{job['jobName']}/{token}/")
    found = [json.loads(line) for line in stage.read(key).splitlines()]
    return {line["inputRecord"]["prompt"]: line for line in found}, key


def scores_of(line):
    return {each["metricName"]: each["result"] for each in line["automatedEvaluationResult"]["scores"]}
