"""The one statement of ours in a policy of others: put in, taken out, and judged."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedrock_distill.plan import same_json
from bedrock_distill.resources.bucket_policy import (
    SID,
    delivery_statement,
    judge,
    orphans,
    with_statement,
    without_statement,
)
from bedrock_distill.uris import S3Uri

PLACE = {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"}


def ours(prefix="traffic"):
    root = S3Uri("acme-logs", prefix) / "AWSLogs/123456789012/BedrockModelInvocationLogs"
    return delivery_statement(**PLACE, root=root)


READ = {
    "Sid": "Analysts",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:role/analysts"},
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::acme-logs/*"],
}


def policy(*statements, **more):
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def test_the_statement_is_the_one_of_the_user_guide():
    assert ours() == {
        "Sid": "AmazonBedrockLogsWrite",
        "Effect": "Allow",
        "Principal": {"Service": "bedrock.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::acme-logs/traffic/AWSLogs/123456789012/BedrockModelInvocationLogs/*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": "arn:aws:bedrock:us-east-1:123456789012:*"},
        },
    }


def test_without_a_prefix_the_keys_begin_with_awslogs():
    assert ours("")["Resource"].startswith("arn:aws:s3:::acme-logs/AWSLogs/")


def test_a_bucket_without_a_policy_gets_one_of_the_statement_alone():
    assert with_statement(None, ours()) == policy(ours())


def test_other_statements_stay_as_they_are_and_in_their_order():
    before = policy(READ, Id="ours", Version="2008-10-17")
    untouched = copy.deepcopy(before)
    after = with_statement(before, ours())
    assert after == {**before, "Statement": [READ, ours()]}
    assert before == untouched


def test_a_policy_whose_statement_is_no_list_keeps_it():
    assert with_statement({"Version": "2012-10-17", "Statement": READ}, ours())["Statement"] == [READ, ours()]


def test_putting_it_in_twice_is_putting_it_in_once():
    once = with_statement(policy(READ), ours())
    assert with_statement(once, ours()) == once


def test_another_prefix_becomes_a_second_resource_of_the_same_statement():
    both = with_statement(with_statement(policy(READ), ours("a")), ours("b"))
    assert len(both["Statement"]) == 2
    assert both["Statement"][1]["Resource"] == [ours("a")["Resource"], ours("b")["Resource"]]
    assert judge(both, ours("a")).allows
    assert judge(both, ours("b")).allows


def test_a_statement_of_our_name_that_says_something_else_is_left_alone():
    theirs = {**ours(), "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}
    after = with_statement(policy(theirs), ours())
    assert after["Statement"] == [theirs, {**ours(), "Sid": f"{SID}2"}]
    assert without_statement(after, ours()) == policy(theirs)


@pytest.mark.parametrize("before", [None, policy(READ), policy(READ, Id="x")])
def test_taking_it_out_gives_back_what_was_there(before):
    assert without_statement(with_statement(before, ours()), ours()) == before


def test_taking_one_prefix_out_leaves_the_other():
    both = with_statement(with_statement(None, ours("a")), ours("b"))
    assert without_statement(both, ours("b")) == policy({**ours("a"), "Resource": [ours("a")["Resource"]]})


BARE = {"Sid": f"{SID}2", "Effect": "Allow", "Principal": "*", "Action": "s3:*"}


@pytest.mark.parametrize("other", [None, policy(READ), policy(), policy(BARE), policy("?")])
def test_taking_out_what_is_not_there_changes_nothing(other):
    assert without_statement(other, ours()) == other


def test_a_statement_that_the_console_wrote_with_lists_is_known_as_ours():
    console = {**ours(), "Action": ["s3:PutObject"], "Resource": [ours()["Resource"]]}
    assert with_statement(policy(console), ours()) == policy(console)
    assert without_statement(policy(console), ours()) is None


# Judging


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": "*"},
        {"Principal": {"Service": ["bedrock.amazonaws.com", "logs.amazonaws.com"]}},
        {"Action": "s3:*"},
        {"Action": ["S3:Put*", "s3:GetObject"]},
        {"Resource": "arn:aws:s3:::acme-logs/*"},
        {"Condition": {}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": ["1", "123456789012"]}}},
        {"Condition": {"ArnLike": {"AWS:SourceARN": "arn:aws:bedrock:*:123456789012:*"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": True}}},
    ],
)
def test_a_statement_that_covers_the_delivery_allows_it(change):
    assert judge(policy({**ours(), **change}), ours()).allows
    assert with_statement(policy({**ours(), **change}), ours()) == policy({**ours(), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "logs.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::acme-logs/other/*"},
        {"Resource": ours()["Resource"].replace("/*", "/us-east-1/*")},
        {"Resource": "arn:aws:s3:::acme-logs"},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock:eu-west-1:123456789012:*"}}},
        {"Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}},
        {"Condition": {"NumericEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}},
    ],
)
def test_what_does_not_surely_cover_it_does_not_count(change):
    assert not judge(policy({**ours(), **change}), ours()).allows


def deny(**change):
    return {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", **change}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {
            "Resource": "arn:aws:s3:::acme-logs/traffic/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/*"
        },
        {"Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}},
        {"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"NotPrincipal": {"AWS": "arn:aws:iam::123456789012:root"}, "Principal": None},
        {"NotAction": "s3:GetObject", "Action": None},
        {"NotResource": "arn:aws:s3:::acme-logs/other/*", "Resource": None},
    ],
)
def test_a_deny_that_cannot_be_ruled_out_is_named(change):
    statement = {name: value for name, value in deny(**change).items() if value is not None}
    verdict = judge(policy(ours(), statement), ours())
    assert verdict.allows
    assert verdict.denied_by == ("No",)


@pytest.mark.parametrize(
    "change",
    [
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Condition": {"BoolIfExists": {"aws:PrincipalIsAWSService": False}, "Null": {"x": "true"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "123456789012"}}},
        {"Condition": {"ArnNotLike": {"aws:SourceArn": "arn:aws:bedrock:*:123456789012:*"}}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/x"}},
        {"Action": "s3:DeleteObject"},
        {"Resource": "arn:aws:s3:::acme-logs/other/*"},
        {"NotResource": "arn:aws:s3:::acme-logs/*", "Resource": None},
        {"NotAction": ["s3:PutObject"], "Action": None},
    ],
)
def test_a_deny_that_is_about_something_else_is_not(change):
    statement = {name: value for name, value in deny(**change).items() if value is not None}
    assert judge(policy(statement), ours()).denied_by == ()


def test_a_deny_without_a_name_is_named_by_its_place():
    statement = {name: value for name, value in deny().items() if name != "Sid"}
    assert judge(policy(READ, statement), ours()).denied_by == ("statement 2",)


def test_principals_that_were_deleted_are_found():
    gone = {**READ, "Principal": {"AWS": ["AIDAJQABLZS4A3QDU576Q", "arn:aws:iam::123456789012:root"]}}
    assert orphans(policy(gone, READ, deny())) == ("AIDAJQABLZS4A3QDU576Q",)
    assert orphans(None) == ()


# Equality


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.randoms())
def test_the_order_of_lists_does_not_matter(value, dice):
    def shuffled(item):
        if isinstance(item, list):
            return dice.sample([shuffled(each) for each in item], len(item))
        if isinstance(item, dict):
            return {key: shuffled(each) for key, each in item.items()}
        return item

    assert same_json(value, shuffled(value))


def test_brackets_around_an_only_item_do_not_matter_and_everything_else_does():
    assert same_json({"Action": ["a"]}, {"Action": "a"})
    assert not same_json({"Action": ["a", "b"]}, {"Action": ["a"]})
    assert not same_json({"a": False}, {})
    assert not same_json({"a": "1"}, {"a": 1})
    assert not same_json(None, {})
