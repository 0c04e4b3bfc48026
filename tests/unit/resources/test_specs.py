import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.resources import (
    AsyncInference,
    CustomModel,
    Distillation,
    Endpoint,
    ModelCopy,
    ModelImport,
    OnDemandDeployment,
    Prompts,
    ProvisionedThroughput,
    Rollout,
    Scaling,
    TensorRTLLM,
    Vpc,
)
from bedrock_distill.resources.endpoint import CONTAINERS
from bedrock_distill.resources.jobfile import read_job_file
from bedrock_distill.resources.spec import short_name

MODEL = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("{}\n")
    return path


def fields(prompts, **changes):
    return {
        "name": "triage",
        "teacher": "amazon.nova-pro-v1:0",
        "student": "amazon.nova-micro-v1:0",
        "data": Prompts(prompts),
        "output": "s3://acme/out",
    } | changes


def test_a_spec_is_a_frozen_value(prompts):
    spec = Distillation(**fields(prompts))
    assert spec == Distillation(**fields(prompts))
    assert spec.output == "s3://acme/out/"
    with pytest.raises(Exception, match="frozen"):
        spec.name = "other"


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": "a--b"}, "name", "single '-' or '_'"),
        ({"name": "x" * 41}, "name", "1 to 40"),
        ({"output": "acme/out"}, "output", "not an S3 URI"),
        ({"data": "prompts.jsonl"}, "data.Prompts", r"must be Prompts\(…\) \(got 'prompts.jsonl'\)"),
        ({"max_response_tokens": 0}, "max_response_tokens", "greater than or equal to 1"),
        ({"colour": "red"}, "colour", "Distillation takes: name, teacher"),
        ({"hyperparameters": {"epochs": 3}}, "hyperparameters.epochs", "string"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_rule(prompts, change, field, says):
    with pytest.raises(SpecError, match=says) as caught:
        Distillation(**fields(prompts, **change))
    assert caught.value.field == field


def test_a_missing_field_is_named(prompts):
    with pytest.raises(SpecError, match="teacher: Field required"):
        Distillation(**{key: value for key, value in fields(prompts).items() if key != "teacher"})


def test_prompts_must_be_a_local_file_that_is_there(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        Prompts(tmp_path / "absent.jsonl")
    with pytest.raises(SpecError, match="local file"):
        Prompts("s3://acme/prompts.jsonl")


def test_a_vpc_needs_subnets_and_groups():
    with pytest.raises(SpecError, match="subnet_ids"):
        Vpc(subnet_ids=(), security_group_ids=("sg-1",))


def test_a_deployment_takes_a_custom_model_or_its_arn():
    assert OnDemandDeployment(model=MODEL) == OnDemandDeployment(model=CustomModel(None, MODEL))
    with pytest.raises(SpecError, match="ARN of a custom model"):
        OnDemandDeployment(model="my-model")


def test_names_carry_the_fingerprint_and_the_attempt():
    assert short_name("my_job", "0123456789ab") == "my-job-01234567"
    assert short_name("my_job", "0123456789ab", 2) == "my-job-01234567-2"


def test_a_job_file_is_a_spec_with_paths_from_its_own_folder(tmp_path, prompts):
    path = tmp_path / "job.toml"
    path.write_text(
        '[distillation]\nname = "triage"\nteacher = "amazon.nova-pro-v1:0"\nstudent = "amazon.nova-micro-v1:0"\n'
        'data = "prompts.jsonl"\noutput = "s3://acme/out"\n[distillation.vpc]\nsubnet_ids = ["s"]\n'
        'security_group_ids = ["g"]\n'
    )
    spec = read_job_file(path)
    assert spec.data.path == prompts
    assert spec.vpc == Vpc(subnet_ids=("s",), security_group_ids=("g",))


@pytest.fixture
def students(tmp_path):
    """A folder with a directory that may hold a model."""
    (tmp_path / "student").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (f'[deployment]\nmodel = "{MODEL}"\n', OnDemandDeployment(model=MODEL)),
        (
            f'[provisioned]\nmodel = "{MODEL}"\nunits = 2\ncommitment = "OneMonth"\n',
            ProvisionedThroughput(model=MODEL, units=2, commitment="OneMonth"),
        ),
        (f'[copy]\nmodel = "{MODEL}"\nname = "west"\n', ModelCopy(model=MODEL, name="west")),
        (
            '[import]\nname = "a"\nmodel = "s3://acme-ml/models/a"\n',
            ModelImport(name="a", model="s3://acme-ml/models/a"),
        ),
        (
            (
                '[endpoint]\nname = "a"\nmodel = "s3://acme-ml/models/a"\nvpc = {subnet_ids = ["s"], security_group_ids = ["g"]}\n'
                '[endpoint.container]\nkind = "trtllm"\nbatch_tokens = 99\n[endpoint.scaling]\nminimum = 0\n'
                '[endpoint.asynchronous]\noutput = "s3://acme-ml/out"\n'
            ),
            Endpoint(
                name="a",
                model="s3://acme-ml/models/a",
                container=TensorRTLLM(batch_tokens=99),
                scaling=Scaling(minimum=0),
                asynchronous=AsyncInference(output="s3://acme-ml/out"),
                vpc=Vpc(subnet_ids=("s",), security_group_ids=("g",)),
            ),
        ),
        (
            '[endpoint]\nname = "a"\nmodel = "s3://acme-ml/models/a"\n[endpoint.rollout]\nalarms = ["errors"]\n',
            Endpoint(name="a", model="s3://acme-ml/models/a", rollout=Rollout(alarms=("errors",))),
        ),
    ],
)
def test_each_table_of_a_job_file_is_the_spec_of_its_name(tmp_path, text, spec):
    path = tmp_path / "job.toml"
    path.write_text(text)
    assert read_job_file(path) == spec


@pytest.mark.parametrize("table", ["import", "endpoint"])
def test_a_models_directory_is_read_from_the_job_files_own_folder(students, monkeypatch, table):
    (students / "job.toml").write_text(f'[{table}]\nname = "a"\nmodel = "student"\n')
    (students / "elsewhere").mkdir()
    monkeypatch.chdir(students / "elsewhere")
    assert (students / "student").samefile(read_job_file("../job.toml").model)


@pytest.mark.parametrize(("kind", "container"), CONTAINERS.items())
def test_a_job_file_names_a_container_by_its_kind(students, kind, container):
    path = students / "job.toml"
    path.write_text(
        f'[endpoint]\nname = "a"\nmodel = "student"\ncontainer = {{kind = "{kind}", context = 9}}\n'
    )
    assert read_job_file(path).container == container(context=9)


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("model = 'absent'", "model: there is no such directory"),
        ("model = 3", "no such directory"),
        ("model = 's3://'", "s3://BUCKET/KEY"),
        ("container = 'vllm'", r"container must be a table.*got 'vllm'"),
        ("container = {}", r"container\.kind must be one of lmi, vllm, tgi, trtllm \(got None\)"),
        ("container = {kind = 'triton'}", "got 'triton'"),
        ("container = {kind = ['lmi']}", "got \\['lmi'\\]"),
        ("container = {kind = 'tgi', served_name = 'x'}", r"served_name.*TGI takes: "),
        ("container = {kind = 'lmi', lora = {rank = 5}}", r"lora.*rank: vLLM takes 8"),
        ("scaling = {minimum = 3}", "minimum 3 is above maximum 2"),
        ("scaling = 3", "scaling"),
        ("rollout = {alarms = ['']}", "alarm's name"),
        ("asynchronous = {output = 'answers'}", "s3://BUCKET/KEY"),
        ("vpc = {self = 1}", "vpc: Vpc cannot be made"),
        ("colour = 'red'", "Endpoint takes: name"),
    ],
)
def test_a_wrong_field_of_an_endpoints_table_says_what_it_takes(students, field, says):
    path = students / "job.toml"
    given = {"name": "name = 'a'", "model": "model = 'student'"}
    given[field.partition(" ")[0]] = field
    path.write_text("[endpoint]\n" + "\n".join(given.values()))
    with pytest.raises(SpecError, match=rf"(?s)job\.toml: .*{says}"):
        read_job_file(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "exactly one table"),
        ("[distillation]\n[deployment]\n", "exactly one table"),
        ("[training]\n", r"one of \[distillation\], .*\[harvest\].*; it holds: training"),
        ("distillation = 3\n", "exactly one table"),
        ("nonsense", r"Could not read the job file '.*job\.toml': it is not TOML \("),
        ("[deployment]\nmodel = 'x'\n", "ARN of a custom model"),
    ],
)
def test_a_wrong_job_file_says_what_is_wrong(tmp_path, text, says):
    path = tmp_path / "job.toml"
    path.write_text(text)
    with pytest.raises(SpecError, match=says):
        read_job_file(path)
