"""The door in this process: boto3 as it is, no socket, and nothing that gets past."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.compat
import botocore.handlers
import botocore.httpsession
import botocore.session
import pytest
from moto import mock_aws

from bedrock_distill.errors import ServiceError, SpecError
from bedrock_distill.local.cloud import Cloud

MODEL = "amazon.nova-pro-v1:0"
MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
LISTED = {"modelSummaries": []}


@pytest.fixture
def bedrock(fake):
    return {"bedrock": fake(list_custom_models=LISTED)}


def _pieces(*texts):
    return [{"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 0}} for text in texts]


def test_no_socket_is_opened(bedrock, open_cloud, monkeypatch, fake):
    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: opened.append(address))
    cloud = open_cloud({**bedrock, "bedrock-runtime": fake(converse_stream={"stream": _pieces("a")})})
    boto3.client("bedrock").list_custom_models()
    s3 = boto3.client("s3")
    s3.put_object(Bucket=cloud.bucket("a-bucket").bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket="a-bucket", Key="k")["Body"].read() == b"x"
    list(boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])
    boto3.client("iam").list_roles()
    assert opened == []


def test_plain_clients_new_sessions_and_the_clouds_own_are_all_answered(bedrock, open_cloud):
    cloud = open_cloud(bedrock)
    for session in (
        boto3,
        boto3.Session(),
        boto3.Session(region_name="us-west-2"),
        cloud.boto3_session("eu-west-1"),
    ):
        assert session.client("bedrock").list_custom_models()["modelSummaries"] == []
    assert [call.region for call in cloud.calls] == ["us-east-1", "us-east-1", "us-west-2", "eu-west-1"]
    botocore.session.get_session().create_client("bedrock").list_custom_models()


def test_a_default_session_from_before_does_not_reach_aws(bedrock, open_cloud, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.setup_default_session()
    before = boto3.DEFAULT_SESSION
    cloud = open_cloud(bedrock)
    assert boto3.client("bedrock").list_custom_models()["modelSummaries"] == []
    cloud.close()
    assert boto3.DEFAULT_SESSION is before


def test_a_client_and_a_session_from_before_are_held_back(open_cloud, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    session = boto3.Session(region_name="us-east-1")
    old = session.client("bedrock")
    open_cloud()
    for client in (old, session.client("bedrock")):
        with pytest.raises(ServiceError, match=r"bedrock\.us-east-1\.amazonaws\.com was held back.*session"):
            client.list_custom_models()


def test_a_client_that_outlives_the_cloud_is_refused(bedrock, open_cloud):
    cloud = open_cloud(bedrock)
    client, own = boto3.client("bedrock"), cloud.world.client("s3", "us-east-1")
    cloud.close()
    with pytest.raises(ServiceError, match="closed, so bedrock:ListCustomModels was not sent"):
        client.list_custom_models()
    with pytest.raises(ServiceError, match="closed"):
        own.list_buckets()


@pytest.mark.parametrize("service", ["dynamodb", "bedrock-agent", "ec2", "sagemaker-runtime"])
def test_a_service_that_is_not_there_is_an_error_and_no_request(service, open_cloud):
    open_cloud()
    client = boto3.client(service)
    operation, params = {
        "dynamodb": ("list_tables", {}),
        "bedrock-agent": ("list_agents", {}),
        "ec2": ("describe_vpcs", {}),
        "sagemaker-runtime": ("invoke_endpoint", {"EndpointName": "e", "Body": b""}),
    }[service]
    with pytest.raises(ServiceError) as caught:
        getattr(client, operation)(**params)
    assert repr(service) in str(caught.value)
    assert caught.value.code == "NotInLocalCloud"
    assert "Nothing was sent to AWS" in str(caught.value)


def test_the_process_is_put_back_as_it_was(open_cloud, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "https://elsewhere")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    before, handlers = dict(os.environ), list(botocore.handlers.BUILTIN_HANDLERS)
    send = botocore.httpsession.URLLib3Session.send
    cloud = open_cloud(region="eu-central-1")
    inside = dict(os.environ)
    cloud.close()
    assert before == dict(os.environ)
    assert handlers == botocore.handlers.BUILTIN_HANDLERS
    assert botocore.httpsession.URLLib3Session.send is send
    gone = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK", "AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE"}
    assert not gone & set(inside)
    assert inside["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert inside["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_bearer_token_and_an_endpoint_in_the_environment_do_not_lead_out(bedrock, open_cloud, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    cloud = open_cloud(bedrock)
    boto3.client("bedrock").list_custom_models()
    assert cloud.calls.names() == ["ListCustomModels"]


def test_an_explicit_endpoint_of_another_place_is_answered_here_too(bedrock, open_cloud):
    cloud = open_cloud(bedrock)
    boto3.client("bedrock", endpoint_url="https://vpce.example").list_custom_models()
    assert cloud.calls.names() == ["ListCustomModels"]


def test_the_crt_transfer_client_is_out_of_the_way_while_the_cloud_is_open(open_cloud, monkeypatch):
    import boto3.s3.transfer

    monkeypatch.setattr(botocore.compat, "HAS_CRT", True)
    monkeypatch.setattr(boto3.s3.transfer, "HAS_CRT", True)
    cloud = open_cloud()
    assert boto3.s3.transfer.HAS_CRT is False
    cloud.close()
    assert boto3.s3.transfer.HAS_CRT is True


def test_one_cloud_at_a_time(open_cloud):
    first = open_cloud()
    with pytest.raises(SpecError, match="open in this process already"):
        Cloud().open()
    with pytest.raises(SpecError, match="open in this process already"):
        first.open()
    first.close()
    first.close()
    open_cloud()


def test_a_cloud_that_cannot_open_leaves_no_trace(open_cloud):
    before = dict(os.environ)

    def broken(_):
        raise RuntimeError("no services today")

    with pytest.raises(RuntimeError, match="no services today"):
        Cloud(services=broken).open()
    assert before == dict(os.environ)
    open_cloud()


def test_a_cloud_can_be_opened_again_and_has_forgotten_everything(open_cloud):
    cloud = open_cloud()
    cloud.bucket("a-bucket")
    cloud.close()
    with cloud:
        assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_a_closed_cloud_says_so():
    with pytest.raises(SpecError, match="not open"):
        Cloud().boto3_session()


@pytest.mark.parametrize("config", [{}, {"core": {"mock_credentials": False}}])
def test_the_cloud_does_not_open_inside_mock_aws(config):
    with mock_aws(config=config), pytest.raises(SpecError, match="mock_aws, or something like it, is active"):
        Cloud().open()


def test_mock_aws_inside_the_cloud_is_told_at_the_next_call(open_cloud):
    open_cloud()
    with mock_aws(), pytest.raises(ServiceError, match="mock_aws was started inside the local cloud"):
        boto3.client("s3").list_buckets()


def test_mock_aws_works_before_and_after_the_cloud(open_cloud):
    def mocked():
        with mock_aws():
            s3 = boto3.client("s3", region_name="us-east-1")
            s3.create_bucket(Bucket="mocked")
            return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

    assert mocked() == ["mocked"]
    cloud = open_cloud()
    cloud.bucket("a-bucket")
    assert [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]] == ["a-bucket"]
    cloud.close()
    assert mocked() == ["mocked"]


@pytest.mark.filterwarnings(
    "ignore:.*fork.*:DeprecationWarning"
)  # what newer Pythons say of threads and forks
def test_a_forked_process_leaves_the_cloud_to_its_parent(open_cloud):
    cloud = open_cloud()
    cloud.serve()
    child = os.fork()
    if child == 0:
        cloud.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cloud.world.workdir.is_dir()


def test_events_arrive_when_they_are_made(fake, open_cloud):
    made = []

    def events():
        for event in _pieces("a", "b", "c"):
            made.append(event)
            yield event

    open_cloud({"bedrock-runtime": fake(converse_stream=lambda _: {"stream": events()})})
    stream = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    for count, _ in enumerate(stream, start=1):
        assert len(made) == count


def test_a_reader_that_leaves_early_ends_the_making(fake, open_cloud):
    ended = threading.Event()

    def events():
        try:
            yield from _pieces("a", "b")
        finally:
            ended.set()

    open_cloud({"bedrock-runtime": fake(converse_stream=lambda _: {"stream": events()})})
    stream = boto3.client("bedrock-runtime").converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
    next(iter(stream))
    stream.close()
    assert ended.is_set()


def test_each_region_has_its_own_resources_in_the_store(open_cloud, fake):
    def remember(call):
        cloud.world.store.table("models", call.region).put(call.region, call.region)
        return LISTED

    cloud = open_cloud({"bedrock": fake(list_custom_models=remember)})
    for region in ("us-east-1", "us-west-2"):
        boto3.client("bedrock", region_name=region).list_custom_models()
    assert cloud.world.store.table("models", "us-west-2").keys() == ["us-west-2"]
    assert cloud.world.store.regions("models") == ["us-east-1", "us-west-2"]


def test_a_service_may_use_the_clouds_own_s3_unseen(fake, open_cloud):
    def read(call):
        body = cloud.world.client("s3", call.region).get_object(Bucket="a-bucket", Key="k")["Body"].read()
        assert body == b"data"
        return LISTED

    cloud = open_cloud({"bedrock": fake(list_custom_models=read)})
    boto3.client("s3").put_object(Bucket=cloud.bucket("a-bucket").bucket, Key="k", Body=b"data")
    boto3.client("bedrock").list_custom_models()
    assert cloud.calls.names() == ["PutObject", "ListCustomModels"]


def test_many_threads_are_answered_at_once(fake, open_cloud):
    open_cloud({"bedrock-runtime": fake(converse_stream=lambda _: {"stream": _pieces("a", "b")})})
    cloud_s3 = boto3.client("s3")
    cloud_s3.create_bucket(Bucket="a-bucket")
    runtime = boto3.client("bedrock-runtime")
    failures = []

    def work(number):
        try:
            for turn in range(5):
                key = f"{number}/{turn}"
                cloud_s3.put_object(Bucket="a-bucket", Key=key, Body=key.encode())
                assert cloud_s3.get_object(Bucket="a-bucket", Key=key)["Body"].read() == key.encode()
                assert len(list(runtime.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])) == 2
        except Exception as error:  # noqa: BLE001 - told to the test's thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("key", ["plain", "with space", "é/ü", "a+b=c", "folder/", "a//b", "100%", "q?x#y"])
def test_s3_keys_of_every_kind_survive(key, open_cloud):
    cloud = open_cloud()
    s3 = boto3.client("s3")
    s3.put_object(
        Bucket=cloud.bucket("a-bucket").bucket, Key=key, Body=b"x", Metadata={"my_key": "v", "my-key2": "w"}
    )
    answer = s3.get_object(Bucket="a-bucket", Key=key)
    assert answer["Metadata"] == {"my_key": "v", "my-key2": "w"}
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="a-bucket")["Contents"]] == [key]
    assert [call.params.get("Key") for call in cloud.calls][:2] == [key, key]


def test_files_go_up_and_down_in_parts(open_cloud, tmp_path):
    from boto3.s3.transfer import TransferConfig

    cloud = open_cloud()
    source, target = tmp_path / "up", tmp_path / "down"
    source.write_bytes(os.urandom(11 << 20))
    s3 = boto3.client("s3")
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    s3.upload_file(str(source), cloud.bucket("a-bucket").bucket, "big", Config=parts)
    s3.download_file("a-bucket", "big", str(target), Config=parts)
    assert target.read_bytes() == source.read_bytes()
    assert cloud.calls.count("UploadPart") == 3
    assert s3.head_object(Bucket="a-bucket", Key="big")["ContentLength"] == 11 << 20


def test_moto_belongs_to_the_clouds_account_and_seed(open_cloud):
    keys = []
    for _ in range(2):
        cloud = open_cloud(account_id="111122223333", seed=7)
        assert boto3.client("sts").get_caller_identity()["Account"] == "111122223333"
        keys.append(boto3.client("kms").create_key()["KeyMetadata"]["Arn"])
        cloud.close()
    assert keys[0] == keys[1]
    assert ":111122223333:" in keys[0]


def test_an_operation_that_moto_lacks_answers_with_its_name(open_cloud):
    open_cloud()
    iam = boto3.client("iam")
    with pytest.raises(iam.exceptions.ClientError, match="iam:SimulatePrincipalPolicy") as caught:
        iam.simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::123456789012:user/u", ActionNames=["s3:GetObject"]
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_the_clouds_session_waits_by_its_clock(open_cloud):
    cloud = open_cloud()
    assert cloud.session(region="us-west-2").clients.clock is cloud.clock


def test_an_object_written_again_while_others_read_it_fails_nobody(open_cloud):
    bucket = open_cloud().bucket("a-bucket").bucket
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"0" * 5000)

    def write_and_read(digit):
        for _ in range(60):
            s3.put_object(Bucket=bucket, Key="k", Body=digit * 5000)
            body = s3.get_object(Bucket=bucket, Key="k")["Body"].read()
            assert len(body) == 5000
            assert len(set(body)) == 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_and_read, [b"%d" % number for number in range(8)]))
