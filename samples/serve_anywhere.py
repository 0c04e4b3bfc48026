"""One student in every place that serves: the same questions, and the same answers. Offline by default.

python samples/serve_anywhere.py

On AWS it serves what you have there, and costs money; what it makes, it deletes again:

python samples/serve_anywhere.py --aws --custom-model arn:aws:bedrock:… --model DIR --staging s3://BUCKET/ --container lmi
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import bedrock_distill as bd
from bedrock_distill.cli.demo.triage import answer  # stands for Nova Pro

SAMPLES = Path(__file__).parent / "triage"
QUESTIONS = ("I was charged twice, please send the money back today", "Where is my parcel? It is late")
CONTAINERS: dict[str, Any] = {"lmi": bd.LMI(), "vllm": bd.VLLM(), "tgi": bd.TGI(), "trtllm": bd.TensorRTLLM()}


def specs_for_custom_model(model: str, *, provisioned: bool) -> dict[str, Any]:
    """What Bedrock has distilled stays there: it is deployed by its ARN."""
    specs: dict[str, Any] = {"on demand": bd.OnDemandDeployment(model=model, name="anywhere")}
    if provisioned:
        specs["provisioned"] = bd.ProvisionedThroughput(model=model, name="anywhere", accept_hourly_cost=True)
    return specs


def specs_for_directory(model: str, staging: str | None, containers: list[str]) -> dict[str, Any]:
    """A Hugging Face directory is imported, or put behind an endpoint."""
    given: dict[str, Any] = {"model": model, "staging": staging}
    return {
        "imported": bd.ModelImport(name="anywhere", **given),
        **{
            name: bd.Endpoint(name=f"anywhere-{name}", container=CONTAINERS[name], **given)
            for name in containers
        },
    }


def answers(session: bd.Session, spec: Any) -> list[str]:
    """Serve it, ask, and take it away again."""
    made = session.apply(session.plan(spec))
    if isinstance(made, bd.ModelImportJob):
        made = made.result()
    try:
        if not isinstance(made, bd.ImportedModel):
            made.wait()
        student = session.model(made.arn)
        return [student.chat(question, max_tokens=40, temperature=0).text for question in QUESTIONS]
    finally:
        made.delete()


def compare(session: bd.Session, specs: dict[str, Any]) -> None:
    """Print what each place says."""
    said = {}
    for place, spec in specs.items():
        said[place] = answers(session, spec)
        print(f"{place:<12} {said[place]}")
    print("All say the same." if len({tuple(texts) for texts in said.values()}) == 1 else "They differ.")


def offline() -> None:
    """Distil a student in a local cloud, and serve it in every place."""
    training = bd.local.TrainingSettings(overrides={"steps": 60})
    with (
        tempfile.TemporaryDirectory() as folder,
        bd.local.Cloud(teachers={"amazon.nova-pro-v1:0": answer}, training=training, workdir=folder) as cloud,
    ):
        cloud.bucket("acme-ml")
        session = cloud.session()
        job = bd.Distillation(
            name="triage",
            teacher="amazon.nova-pro-v1:0",
            student="amazon.nova-micro-v1:0",
            data=bd.Prompts(SAMPLES / "prompts.jsonl"),
            output="s3://acme-ml/distill/",
        )
        model = session.apply(session.plan(job)).result()
        # AWS keeps the weights of what it has distilled; the local cloud leaves them in its working directory.
        [directory] = Path(folder).glob("*/custom-models/*")
        deployed = specs_for_custom_model(model.arn, provisioned=True)
        compare(session, deployed | specs_for_directory(str(directory), "s3://acme-ml/", list(CONTAINERS)))


def on_aws(given: argparse.Namespace) -> None:
    """Serve what is there on AWS."""
    specs: dict[str, Any] = {}
    if given.custom_model:
        specs |= specs_for_custom_model(given.custom_model, provisioned=given.provisioned)
    if given.model:
        specs |= specs_for_directory(given.model, given.staging, given.container)
    compare(bd.Session(region=given.region), specs)


def main() -> None:
    """Read the command line."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--aws", action="store_true", help="work on AWS; this costs money")
    options.add_argument("--region", help="where")
    options.add_argument("--custom-model", metavar="ARN", help="a model that Bedrock has distilled")
    options.add_argument("--provisioned", action="store_true", help="provision it, too: billed by the hour")
    options.add_argument("--model", metavar="DIR|S3_URI", help="a Hugging Face directory")
    options.add_argument("--staging", metavar="S3_URI", help="where to stage a directory of this machine")
    options.add_argument(
        "--container", action="append", default=[], choices=CONTAINERS, help="may be repeated"
    )
    given = options.parse_args()
    if given.aws:
        on_aws(given)
    else:
        offline()


if __name__ == "__main__":
    main()
