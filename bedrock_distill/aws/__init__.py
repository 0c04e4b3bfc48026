"""The edge: the only room that speaks to AWS.

`clients` holds the one gate through which every request goes (checked, retried, its errors translated); `objects`,
`buckets` and `roles` are what is asked of S3 and IAM; `settings` reads and replaces values that exist once; `waiting` is
how anything is waited for. Nothing here knows what a distillation is.
"""

from bedrock_distill.aws.buckets import BucketRules, Buckets, KeyState
from bedrock_distill.aws.clients import Clients
from bedrock_distill.aws.objects import BucketState, ObjectStore
from bedrock_distill.aws.retry import RetryPolicy
from bedrock_distill.aws.roles import Roles, RoleState
from bedrock_distill.aws.settings import Settings
from bedrock_distill.aws.staging import FolderStage
from bedrock_distill.aws.waiting import delays, poll

__all__ = [
    "BucketRules",
    "BucketState",
    "Buckets",
    "Clients",
    "FolderStage",
    "KeyState",
    "ObjectStore",
    "RetryPolicy",
    "RoleState",
    "Roles",
    "Settings",
    "delays",
    "poll",
]
