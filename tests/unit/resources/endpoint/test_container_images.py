"""Images: our table, an installed SDK's tables, a user's own rows, and the host that each needs."""

from __future__ import annotations

import json
from importlib import metadata, util

import pytest

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError
from bedrock_distill.resources.endpoint.containers import LMI, TGI, VLLM, TensorRTLLM
from bedrock_distill.resources.endpoint.containers.images import find_image, known_versions
from bedrock_distill.resources.endpoint.containers.sdk_tables import read_sdk_table, sdk_images

CATALOG = load_catalog("")
FRAMEWORKS = ("djl-lmi", "djl-tensorrtllm", "huggingface-llm", "huggingface-vllm", "vllm", "vllm-server")
SDK = bool(util.find_spec("sagemaker")) and metadata.version("sagemaker-core") >= "2.27"


@pytest.fixture
def no_sdk(monkeypatch):
    """As where sagemaker-core is not installed."""

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    sdk_images.cache_clear()
    yield
    sdk_images.cache_clear()


@pytest.fixture
def sdk(monkeypatch, tmp_path):
    """As where an SDK is installed that knows one version more."""
    folder = tmp_path / "sagemaker" / "core" / "image_uri_config"
    folder.mkdir(parents=True)
    table = {
        "scope": ["inference"],
        "version_aliases": {"latest": "0.39.0"},
        "versions": {
            "0.39.0": {
                "registries": {"us-east-1": "111111111111"},
                "repository": "djl-inference",
                "tag_prefix": "0.39.0-lmi30.0.0-cu131",
            },
            "0.36.0": {
                "registries": {"us-east-1": "222222222222"},
                "repository": "djl-inference",
                "tag_prefix": "0.36.0-lmi27.0.0-cu130",
            },
        },
    }
    (folder / "djl-lmi.json").write_text(json.dumps(table))

    class Distribution:
        def locate_file(self, path):
            return tmp_path / path

    monkeypatch.setattr(metadata, "distribution", lambda _: Distribution())
    sdk_images.cache_clear()
    yield
    sdk_images.cache_clear()


@pytest.mark.parametrize(
    ("container", "region", "uri", "ami"),
    [
        (
            LMI(),
            "us-east-1",
            "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.38.0-lmi29.0.0-cu130",
            "al2023-ami-sagemaker-inference-gpu-4-1",
        ),
        (
            LMI(version="0.34.0"),
            "cn-north-1",
            "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/djl-inference:0.34.0-lmi16.0.0-cu128",
            "al2-ami-sagemaker-inference-gpu-3-1",
        ),
        (
            LMI(version="0.33.0"),
            "eusc-de-east-1",
            "204133271717.dkr.ecr.eusc-de-east-1.amazonaws.eu/djl-inference:0.33.0-lmi15.0.0-cu128",
            "al2-ami-sagemaker-inference-gpu-3-1",
        ),
        (
            TensorRTLLM(),
            "eu-west-1",
            "763104351884.dkr.ecr.eu-west-1.amazonaws.com/djl-inference:0.33.0-tensorrtllm0.21.0-cu128",
            "al2-ami-sagemaker-inference-gpu-3-1",
        ),
        (
            TGI(),
            "ca-west-1",
            "204538143572.dkr.ecr.ca-west-1.amazonaws.com/huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04",
            "al2-ami-sagemaker-inference-gpu-3-1",
        ),
        (
            VLLM(),
            "us-west-2",
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/vllm:server-sagemaker-cuda-v2.6",
            "al2023-ami-sagemaker-inference-gpu-4-1",
        ),
        (
            VLLM(package="vllm"),
            "us-west-2",
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/vllm:0.30.0-gpu-py312-cu130-ubuntu24.04-sagemaker",
            "al2023-ami-sagemaker-inference-gpu-4-1",
        ),
        (
            VLLM(package="huggingface-vllm", version="0.17"),
            "us-gov-west-1",
            "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com/huggingface-vllm:0.17.0-transformers4.57.5-gpu-py312-cu129-ubuntu22.04",
            "al2-ami-sagemaker-inference-gpu-3-1",
        ),
    ],
)
def test_a_container_names_its_image_and_the_host_that_can_run_it(no_sdk, container, region, uri, ami):
    assert container.image(region, CATALOG).uri == uri
    assert container.ami(CATALOG) == ami


def test_an_image_tells_its_lmi_release_and_its_vllm_where_known(no_sdk):
    assert LMI(version="0.36.0").image("us-east-1", CATALOG).lmi == 27
    assert LMI(version="0.36.0").image("us-east-1", CATALOG).vllm == "0.23.1"
    assert LMI().image("us-east-1", CATALOG).vllm == ""


def test_an_image_of_ones_own_is_taken_as_it_is():
    own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1-cu126"
    assert VLLM(image_uri=own).image("us-east-1", CATALOG).uri == own
    assert VLLM(image_uri=own).ami(CATALOG) == "al2-ami-sagemaker-inference-gpu-3-1"
    assert VLLM(image_uri=own.partition("-cu")[0]).ami(CATALOG) is None


def test_an_alias_means_what_the_sdk_means_by_it(no_sdk):
    assert find_image("huggingface-llm", "2.0", "us-east-1", CATALOG).version == "2.4.0"
    assert find_image("vllm-server", "latest", "us-east-1", CATALOG).version == "2"


def test_an_unknown_version_and_region_are_refused_with_those_there_are(no_sdk):
    with pytest.raises(SpecError, match=r"version '9': djl-lmi has the versions 0\.38\.0, 0\.36\.0"):
        find_image("djl-lmi", "9", "us-east-1", CATALOG)
    with pytest.raises(
        SpecError, match=r"region 'us-iso-east-1' has no image of djl-lmi 0\.32\.0; it is in af-south-1"
    ):
        find_image("djl-lmi", "0.32.0", "us-iso-east-1", CATALOG)


def test_an_installed_sdk_adds_its_versions_and_wins_over_the_shipped_rows(sdk):
    newest = find_image("djl-lmi", None, "us-east-1", CATALOG)
    assert (newest.version, newest.cuda, newest.lmi) == ("0.39.0", "13.1", 30)
    known = find_image("djl-lmi", "0.36.0", "us-east-1", CATALOG)
    assert known.uri.startswith("222222222222.")
    assert known.vllm == "0.23.1", "what only our table knows is kept"
    assert find_image("djl-lmi", "0.35.0", "us-east-1", CATALOG).uri.startswith("763104351884.")


def test_a_users_own_row_wins_over_an_installed_sdk(sdk, tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text('[[image]]\nframework = "djl-lmi"\nversion = "0.36.0"\ntag = "patched-cu130"\n')
    found = find_image("djl-lmi", "0.36.0", "us-east-1", load_catalog(file))
    assert found.uri == "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:patched-cu130"


def test_the_tables_of_the_sdk_are_read_without_importing_it():
    import subprocess
    import sys

    code = (
        "import sys; from bedrock_distill.resources.endpoint.containers.sdk_tables import sdk_images\n"
        "sdk_images('djl-lmi'); assert 'sagemaker' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not SDK, reason="sagemaker-core is not installed: pip install 'sagemaker-core>=2.27'")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_our_table_says_what_the_sdk_says_for_every_version_and_region(framework, no_sdk):
    from sagemaker.core import image_uris

    compared = 0
    for version, image in known_versions(framework, CATALOG).items():
        for region in image.accounts:
            said = image_uris.retrieve(
                framework, region, version=version, instance_type="ml.g5.xlarge", image_scope="inference"
            )
            assert find_image(framework, version, region, CATALOG).uri == said
            compared += 1
    assert compared >= 250


@pytest.mark.slow
@pytest.mark.skipif(not SDK, reason="sagemaker-core is not installed: pip install 'sagemaker-core>=2.27'")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_sdks_tables_are_read_as_the_sdk_reads_them(framework):
    from sagemaker.core import image_uris

    sdk_images.cache_clear()
    found = sdk_images(framework, fallback_cuda="13.0")
    table = image_uris.config_for_framework(framework)
    assert found == read_sdk_table(table, fallback_cuda="13.0")
    for version, image in found.items():
        uri = image_uris.retrieve(
            framework, "us-east-1", version=version, instance_type="ml.g5.xlarge", image_scope="inference"
        )
        assert uri.endswith(f"/{image.repository}:{image.tag}")
