from __future__ import annotations

import pytest

from bedrock_distill.local.services.bedrock.policies import Request, decide

BUCKET = "arn:aws:s3:::acme"
READ = Request("s3:GetObject", f"{BUCKET}/in/a.jsonl")


def allow(**statement):
    return {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **statement}]}


def deny(**statement):
    return {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*", **statement}]}


def test_what_no_statement_speaks_of_is_not_granted():
    assert decide([], READ) == "none"
    assert decide([{"Statement": []}, {}], READ) == "none"


@pytest.mark.parametrize(
    "action", ["s3:GetObject", "s3:get*", "s3:*", "*", "S3:GETOBJECT", ["s3:PutObject", "s3:Get?bject"]]
)
def test_actions_match_with_wildcards_and_in_any_case(action):
    assert decide([allow(Action=action)], READ) == "allow"


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:Get", "iam:*", []])
def test_other_actions_do_not_match(action):
    assert decide([allow(Action=action)], READ) == "none"


@pytest.mark.parametrize("resource", ["*", f"{BUCKET}/*", f"{BUCKET}/in/?.jsonl", [f"{BUCKET}/in/a.jsonl"]])
def test_resources_match_with_wildcards(resource):
    assert decide([allow(Resource=resource)], READ) == "allow"


@pytest.mark.parametrize("resource", [BUCKET, f"{BUCKET}/IN/*", "arn:aws:s3:::other/*", f"{BUCKET}/in/a"])
def test_resources_match_as_a_whole_and_by_case(resource):
    assert decide([allow(Resource=resource)], READ) == "none"


def test_a_deny_wins_wherever_it_stands():
    assert decide([deny(), allow()], READ) == "deny"
    assert decide([allow(), deny()], READ) == "deny"
    assert decide([allow(), deny(Action="s3:PutObject")], READ) == "allow"


def test_not_action_and_not_resource_cover_the_rest():
    everything_else = {
        "Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::secret/*"}
    }
    assert decide([everything_else], READ) == "allow"
    assert decide([everything_else], Request("iam:PassRole", "x")) == "none"
    assert decide([everything_else], Request("s3:GetObject", "arn:aws:s3:::secret/key")) == "none"


CONDITIONS = [
    ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:sourceaccount": "1"}, True),
    ({"StringEquals": {"AWS:sourceaccount": ["2", "1"]}}, {"aws:sourceaccount": "1"}, True),
    ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:sourceaccount": "2"}, False),
    ({"StringEquals": {"aws:SourceAccount": "1"}}, {}, False),
    ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, {}, True),
    ({"StringNotEquals": {"aws:SourceAccount": "1"}}, {}, True),
    ({"StringNotEquals": {"aws:SourceAccount": "1"}}, {"aws:sourceaccount": "1"}, False),
    ({"StringEqualsIgnoreCase": {"s3:prefix": "IN/"}}, {"s3:prefix": "in/"}, True),
    ({"StringLike": {"s3:prefix": ["in/*"]}}, {"s3:prefix": "in/a"}, True),
    ({"StringNotLike": {"s3:prefix": ["in/*"]}}, {"s3:prefix": "in/a"}, False),
    (
        {"ArnEquals": {"aws:SourceArn": "arn:aws:bedrock:us-east-1:1:job/*"}},
        {"aws:sourcearn": "arn:aws:bedrock:us-east-1:1:job/a:b"},
        True,
    ),
    (
        {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock:*:1:*"}},
        {"aws:sourcearn": "arn:aws:bedrock:us-east-1:1:job/a"},
        True,
    ),
    (
        {"ArnLike": {"aws:SourceArn": "arn:aws:*"}},
        {"aws:sourcearn": "arn:aws:bedrock:us-east-1:1:job/a"},
        False,
    ),
    (
        {"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:*:*:*"}},
        {"aws:sourcearn": "arn:aws:bedrock:us-east-1:1:job/a"},
        True,
    ),
    ({"Bool": {"aws:SecureTransport": True}}, {"aws:securetransport": "true"}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
    ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
    ({"Null": {"s3:prefix": "true"}}, {"s3:prefix": "in/"}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:tagkeys": "a"}, True),
    ({"StringEquals": {"a": "1", "b": "2"}}, {"a": "1", "b": "3"}, False),
    ({"StringEquals": {"a": "1"}, "StringLike": {"b": "*"}}, {"a": "1", "b": ""}, True),
    ({"StringEquals": {"a": "${b}"}}, {"a": "x", "b": "x"}, True),
    ({"StringEquals": {"a": "${unknown}"}}, {"a": ""}, False),
]


@pytest.mark.parametrize(("condition", "context", "held"), CONDITIONS, ids=lambda value: str(value)[:60])
def test_conditions_hold_as_iam_has_them(condition, context, held):
    asked = Request("s3:GetObject", context=context)
    assert decide([allow(Condition=condition)], asked) == ("allow" if held else "none")


def test_a_condition_that_cannot_be_read_grants_nothing_and_denies_still():
    odd = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    assert decide([allow(Condition=odd)], READ) == "none"
    assert decide([allow(), deny(Condition=odd)], READ) == "deny"


@pytest.mark.parametrize(
    ("principal", "matches"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"Service": "bedrock.amazonaws.com"}, True),
        ({"Service": ["lambda.amazonaws.com", "bedrock.amazonaws.com"]}, True),
        ({"Service": "lambda.amazonaws.com"}, False),
        ({"AWS": ["arn:aws:iam::1:root"]}, True),
        ({"AWS": "arn:aws:iam::2:root"}, False),
        ({"Federated": "cognito-identity.amazonaws.com"}, False),
        ("bedrock.amazonaws.com", False),
    ],
)
def test_principals_are_services_accounts_or_everyone(principal, matches):
    asked = Request("s3:GetObject", service="bedrock.amazonaws.com", principals=("arn:aws:iam::1:root",))
    assert decide([allow(Principal=principal)], asked) == ("allow" if matches else "none")


def test_all_but_some_principals_can_only_be_denied_by_accident():
    assert decide([allow(NotPrincipal={"AWS": "1"})], READ) == "none"
    assert decide([allow(), deny(NotPrincipal={"AWS": "1"})], READ) == "deny"
