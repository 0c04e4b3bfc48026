"""The catalog's tables for serving: instances, GPUs, images, registries, hosts' images."""

from __future__ import annotations

from datetime import date

import pytest
from botocore.session import get_session

from bedrock_distill.catalog import load_catalog
from bedrock_distill.errors import SpecError

CATALOG = load_catalog("")


def enumeration(name):
    return set(get_session().get_service_model("sagemaker").shape_for(name).enum)


def test_every_row_has_a_source_and_a_day():
    rows = (*CATALOG.instances, *CATALOG.gpus, *CATALOG.images, *CATALOG.registries, *CATALOG.amis)
    assert rows
    assert all(row.source and row.as_of > date(2026, 1, 1) for row in rows)


def test_every_instance_type_can_be_asked_of_sagemaker_and_has_a_known_gpu():
    assert {row.name for row in CATALOG.instances} <= enumeration("ProductionVariantInstanceType")
    assert {row.gpu for row in CATALOG.instances} == {row.name for row in CATALOG.gpus}


def test_instances_are_what_the_ec2_api_says():
    import gzip
    import json
    from importlib import resources

    packed = (resources.files("moto.ec2.resources") / "instance_types.json.gz").read_bytes()
    known = json.loads(gzip.decompress(packed))
    for row in CATALOG.instances:
        said = known[row.name.removeprefix("ml.")]
        gpu = said["GpuInfo"]["Gpus"][0]
        assert (row.gpus, row.gpu_mib) == (gpu["Count"], gpu["MemoryInfo"]["SizeInMiB"])
        assert (row.vcpus, row.memory_mib) == (
            said["VCpuInfo"]["DefaultVCpus"],
            said["MemoryInfo"]["SizeInMiB"],
        )


def test_every_host_image_can_be_asked_of_sagemaker_and_every_container_has_one():
    assert {row.version for row in CATALOG.amis} <= enumeration("ProductionVariantInferenceAmiVersion")
    assert {row.cuda.partition(".")[0] for row in CATALOG.images} <= {row.cuda for row in CATALOG.amis}


def test_capabilities_follow_from_the_compute_capability():
    for gpu in CATALOG.gpus:
        assert gpu.bf16 == gpu.marlin == (gpu.capability >= (8, 0))
        assert gpu.fp8 == (gpu.capability >= (8, 9))


def test_absent_regions_are_regions_with_a_registry():
    regions = {row.region for row in CATALOG.registries}
    assert all(set(image.absent) < regions for image in CATALOG.images)


def test_an_instance_is_found_with_and_without_its_prefix():
    assert CATALOG.instance("g5.xlarge") is CATALOG.instance("ml.g5.xlarge")
    assert CATALOG.instance("g5.xlarge").family == "g5"


def test_an_unknown_instance_type_suggests_a_near_one():
    with pytest.raises(SpecError, match=r"no GPU instance type 'ml\.g5\.xlrge'.*Did you mean ml\.g5\.xlarge"):
        CATALOG.instance("ml.g5.xlrge")


def test_an_override_changes_and_adds_rows_of_serving(tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text(
        """
        [[instance]]
        name = "ml.g5.xlarge"
        memory_mib = 1
        [[price]]
        model = "ml.g5.xlarge"
        kind = "instance_hour"
        usd = 2.5
        source = "an example"
        as_of = 2026-11-01
        """
    )
    ours = load_catalog(file)
    assert ours.instance("ml.g5.xlarge").memory_mib == 1
    assert ours.price("ml.g5.xlarge", "instance_hour", "us-east-1").usd == 2.5


def test_an_instance_with_an_unknown_gpu_says_what_to_add(tmp_path):
    with pytest.raises(SpecError, match=r"no GPU 'X1'.*Add a \[\[gpu\]\]"):
        CATALOG.gpu("X1")
