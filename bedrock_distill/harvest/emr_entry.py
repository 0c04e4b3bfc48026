"""The entry point of a harvest on EMR Serverless: `emr_entry.py S3_URI_OF_THE_JOB_DOCUMENT`.

Planning puts this file into S3, and Spark runs it as the driver. All it does is done by the package, which the run's packed
environment brings; so the file changes as rarely as it can.
"""

from __future__ import annotations

import os
import sys

_NO_PACKAGE = "The packed environment does not hold bedrock_distill, or was not unpacked: see `environment` in the harvest's spec. "


def main(arguments: list[str]) -> int:
    """Read the job document and do what it says, with Spark.

    Args:
        arguments: The document's S3 URI.

    Returns:
        The process's exit code.
    """
    try:
        from bedrock_distill.aws import Clients, ObjectStore  # noqa: PLC0415 - the message below is for whoever lacks it
        from bedrock_distill.errors import BedrockDistillError  # noqa: PLC0415
        from bedrock_distill.harvest.document import read_document, run_document  # noqa: PLC0415
        from bedrock_distill.harvest.engines.spark import SparkEngine  # noqa: PLC0415
        from bedrock_distill.uris import S3Uri  # noqa: PLC0415
    except ImportError as error:
        return _fail(f"{type(error).__name__}: {_NO_PACKAGE}{error}")
    if len(arguments) != 1:
        return _fail(f"SpecError: emr_entry.py takes the S3 URI of a job document, and got {arguments}.")
    try:
        # Named, and not left to botocore: executors make their own clients from what is named.
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        uri = S3Uri.parse(arguments[0])
        document = read_document(ObjectStore(Clients(endpoint_url=endpoint)).read(uri), name=str(uri))
        clients = Clients(region=document.region, endpoint_url=endpoint)
        with SparkEngine() as engine:
            report = run_document(document, engine, clients)
    except BedrockDistillError as error:
        return _fail(f"{type(error).__name__}: {error}")
    sys.stdout.write(f"{report['written']} records: {report['out']}\n")
    return 0


def _fail(message: str) -> int:
    # EMR shows the last exception of the driver's output as the run's reason.
    sys.stderr.write(f"{message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
