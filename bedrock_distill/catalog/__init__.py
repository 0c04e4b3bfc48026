"""Dated facts about Bedrock, and the typed questions one may ask of them.

The facts are data files in `data/`, one row a fact, each with its source and the day it was read. A user's own file
overrides them row by row (`load_catalog(path)`, or the environment variable `BEDROCK_DISTILL_CATALOG`). Nothing here
talks to AWS; where AWS can be asked, the plan asks and prefers the answer.
"""

from bedrock_distill.catalog.architectures import Architecture, ServingTarget, Taken, TargetName
from bedrock_distill.catalog.ids import IdKind, ModelRef, read_model_id
from bedrock_distill.catalog.rows import BodyFormat, Called, Lifecycle, Model, Pair, Price, PriceKind, Quota
from bedrock_distill.catalog.serving import Ami, Framework, Gpu, Image, Instance, Registry
from bedrock_distill.catalog.tables import Catalog, load_catalog

__all__ = [
    "Ami",
    "Architecture",
    "BodyFormat",
    "Called",
    "Catalog",
    "Framework",
    "Gpu",
    "IdKind",
    "Image",
    "Instance",
    "Lifecycle",
    "Model",
    "ModelRef",
    "Pair",
    "Price",
    "PriceKind",
    "Quota",
    "Registry",
    "ServingTarget",
    "Taken",
    "TargetName",
    "load_catalog",
    "read_model_id",
]
