from bedrock_distill.resources.policies import job_policy, job_trust, profile_resources
from bedrock_distill.uris import S3Uri

STAGED = S3Uri.parse("s3://acme/out/staged/0123-p.jsonl")
OUTPUT = S3Uri.parse("s3://acme/out/")


def statements(**more):
    document = job_policy(partition="aws", training=STAGED, output=OUTPUT, **more)
    return {statement["Sid"]: statement for statement in document["Statement"]}


def test_only_bedrock_for_this_accounts_jobs_in_this_region_may_assume_the_role():
    (statement,) = job_trust(partition="aws", region="us-east-1", account_id="123456789012")["Statement"]
    assert statement["Principal"] == {"Service": "bedrock.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(
        ":123456789012:model-customization-job/*"
    )


def test_the_role_reads_the_folder_of_staged_objects_and_no_other():
    assert statements()["ReadPrompts"]["Resource"] == ["arn:aws:s3:::acme/out/staged/*"]
    assert statements()["ListPrompts"]["Condition"] == {"StringLike": {"s3:prefix": ["out/staged/*"]}}


def test_the_role_writes_under_the_output_and_nowhere_else():
    assert statements()["WriteResults"]["Resource"] == ["arn:aws:s3:::acme/out/*"]


def test_nothing_that_is_not_needed_is_granted():
    assert set(statements()) == {"ReadPrompts", "ListPrompts", "WriteResults", "ListResults"}
    allowed = {action for statement in statements().values() for action in statement["Action"]}
    assert allowed == {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}


def test_a_teacher_behind_a_profile_needs_the_profile_and_the_model_wherever_it_routes():
    arns = profile_resources(
        partition="aws",
        region="us-east-1",
        account_id="123456789012",
        profile="us.amazon.nova-premier-v1:0",
        model="amazon.nova-premier-v1:0",
    )
    statement = statements(profile=arns)["CrossRegionInference"]
    assert statement["Action"] == ["bedrock:InvokeModel"]
    assert statement["Resource"] == [
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-premier-v1:0",
        "arn:aws:bedrock:*::foundation-model/amazon.nova-premier-v1:0",
    ]


def test_a_key_is_granted_when_buckets_are_encrypted_with_it():
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    assert statements(kms_key_arns=[key])["UseKeys"]["Resource"] == [key]


def test_a_vpc_brings_its_five_statements():
    vpc = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    found = statements(vpc=vpc, region="us-east-1", account_id="123456789012")
    assert {"DescribeNetwork", "MakeInterface", "PlaceInterface", "UseInterface", "TagInterface"} <= set(
        found
    )
    assert found["PlaceInterface"]["Resource"] == [
        "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1",
        "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1",
    ]
