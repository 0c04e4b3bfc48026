import pytest

from bedrock_distill.errors import SpecError
from bedrock_distill.uris import Arn, S3Uri, partition_of


@pytest.mark.parametrize(
    "text", ["s3://bucket", "http://bucket/x", "s3:/bucket/x", "s3://B/x", "s3://ab/x", "s3://a_b/x", ""]
)
def test_what_is_no_s3_uri_is_refused_with_the_text_in_the_message(text):
    if text == "s3://bucket":
        assert S3Uri.parse(text) == S3Uri("bucket", "")
        return
    with pytest.raises(SpecError, match="not an S3 URI"):
        S3Uri.parse(text)


def test_joining_puts_exactly_one_slash_between():
    base = S3Uri.parse("s3://bucket/a")
    assert str(base / "b") == str(S3Uri.parse("s3://bucket/a/") / "/b") == "s3://bucket/a/b"
    assert str(S3Uri("bucket") / "b") == "s3://bucket/b"


def test_a_prefix_ends_in_a_slash_and_the_bucket_stays_itself():
    assert str(S3Uri.parse("s3://bucket/a").as_prefix) == "s3://bucket/a/"
    assert S3Uri("bucket").as_prefix == S3Uri("bucket")
    assert S3Uri.parse("s3://bucket/a/b.jsonl").name == "b.jsonl"


def test_an_arn_keeps_the_colons_of_its_resource():
    text = "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-micro-v1:0:128k/abcdefghijkl"
    arn = Arn.parse(text)
    assert (arn.kind, arn.resource_id) == ("custom-model", "amazon.nova-micro-v1:0:128k/abcdefghijkl")
    assert str(arn) == text


@pytest.mark.parametrize("text", ["arn:aws:bedrock", "foo", "arn::bedrock:r:a:x", "arn:aws:bedrock:r:a:"])
def test_what_is_no_arn_is_refused(text):
    with pytest.raises(SpecError, match="not an ARN"):
        Arn.parse(text)


def test_regions_know_their_partition():
    assert [partition_of(region) for region in ("us-east-1", "cn-north-1", "us-gov-west-1")] == [
        "aws",
        "aws-cn",
        "aws-us-gov",
    ]
