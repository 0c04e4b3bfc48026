"""The public fixtures."""

from __future__ import annotations

import subprocess
import sys

import boto3
import pytest


def test_a_cloud_is_open_for_the_test(local_cloud, local_bucket):
    boto3.client("s3").put_object(Bucket=local_bucket.bucket, Key="k", Body=b"x")
    assert local_cloud.calls.names() == ["PutObject"]


@pytest.mark.local_cloud(region="eu-west-1", clock="polls", polls=3)
def test_a_marker_says_what_cloud(local_cloud, local_session):
    assert local_cloud.region == "eu-west-1"
    assert (local_cloud.clock.mode, local_cloud.clock.polls) == ("polls", 3)
    assert local_session.clients.region == "eu-west-1"


@pytest.mark.local_cloud(region="us-west-2", seed=1)
class TestMarkers:
    @pytest.mark.local_cloud(region="eu-west-1")
    def test_the_nearest_marker_goes_first(self, local_cloud):
        assert (local_cloud.region, local_cloud.seed) == ("eu-west-1", 1)


def test_the_cloud_is_served(local_cloud, local_server):
    boto3.client("s3", endpoint_url=local_server.url).list_buckets()
    assert local_cloud.calls.last.door == "http"


def test_loading_the_plugin_loads_nothing_heavy():
    script = (
        "import sys, bedrock_distill.testing;"
        "heavy = {'boto3', 'botocore', 'moto', 'torch', 'transformers', 'pydantic', 'werkzeug'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_marker_that_would_be_passed_over_is_an_error(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.local_cloud('polls')\ndef test_it(local_cloud): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "takes named arguments only" in done.stdout


def test_a_strangers_tests_notice_nothing_of_the_plugin(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it(request):\n"
        "    assert request.fixturenames == ['request']\n"
        "    assert not {'boto3', 'botocore', 'moto', 'torch'} & set(sys.modules)\n"
    )
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--strict-markers",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
