"""A local cloud with a model in S3, a role that may read it, and short ways to make what SageMaker hosts."""

from __future__ import annotations

import json
from contextlib import contextmanager

from botocore.config import Config

from bedrock_distill.local import Cloud

ACCOUNT = "123456789012"
REGISTRY = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
CUDA_13 = "al2023-ami-sagemaker-inference-gpu-4-1"
LMI = f"{REGISTRY}/djl-inference:0.36.0-lmi27.0.0-cu130"
LMI_ROLLING = f"{REGISTRY}/djl-inference:0.33.0-lmi15.0.0-cu128"
VLLM = f"{REGISTRY}/vllm:0.30.0-gpu-py312-cu130-ubuntu24.04-sagemaker"
TGI = f"{REGISTRY}/huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04"
ENVIRONMENTS = {
    LMI: {"HF_MODEL_ID": "/opt/ml/model", "OPTION_MAX_MODEL_LEN": "2048"},
    LMI_ROLLING: {"HF_MODEL_ID": "/opt/ml/model", "OPTION_MAX_MODEL_LEN": "2048"},
    VLLM: {"SM_VLLM_SERVED_MODEL_NAME": "student", "SM_VLLM_MAX_MODEL_LEN": "2048"},
    TGI: {"HF_MODEL_ID": "/opt/ml/model", "MAX_TOTAL_TOKENS": "2048", "MAX_INPUT_TOKENS": "1024"},
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
READS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}],
}
PATIENT = Config(retries={"total_max_attempts": 1, "mode": "standard"}, parameter_validation=False)


class Stage:
    """What the tests act on."""

    def __init__(self, cloud):
        self.cloud = cloud
        session = cloud.boto3_session()
        self.s3, self.iam, self.logs, self.cloudwatch, self.sm, self.runtime, self.scaling = (
            session.client(name, config=PATIENT)
            for name in (
                "s3", "iam", "logs", "cloudwatch", "sagemaker", "sagemaker-runtime", "application-autoscaling",
            )
        )  # fmt: skip
        cloud.bucket("models")
        self.role = self.new_role("host")

    def new_role(self, name, trust=TRUST, policy=READS):
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        if policy is not None:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return arn

    def upload(self, directory, prefix="student/", without=(), **changed):
        """Put a directory's files under a prefix; returns its URI."""
        for path in directory.iterdir():
            if path.name not in without:
                body = changed.get(path.name.replace(".", "_"), path.read_bytes())
                self.s3.put_object(Bucket="models", Key=prefix + path.name, Body=body)
        return f"s3://models/{prefix}"

    def container(self, image=LMI, environment=None, uri="s3://models/student/"):
        data = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
        given = ENVIRONMENTS.get(image, {}) if environment is None else environment
        definition = {"Image": image, "Environment": given}
        return definition | ({"ModelDataSource": {"S3DataSource": data}} if uri else {})

    def variant(self, model="student", image=LMI, **changes):
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.g6.xlarge",
            **({"InferenceAmiVersion": CUDA_13} if "cu130" in image else {}),
            **changes,
        }
        return {name: value for name, value in variant.items() if value is not None}

    def model(self, name="student", **container):
        return self.sm.create_model(
            ModelName=name, ExecutionRoleArn=self.role, PrimaryContainer=self.container(**container)
        )["ModelArn"]

    def config(self, name, *variants, **more):
        return self.sm.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **more
        )

    def endpoint(self, name="student", image=LMI, environment=None, uri="s3://models/student/", **variant):
        """A model, a configuration and an endpoint of one name, and how the endpoint ended up."""
        self.model(name, image=image, environment=environment, uri=uri)
        self.config(name, self.variant(name, image, **variant))
        self.sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return self.settled(name)

    def shared(self, name="shared", least=1, most=2, **more):
        """An endpoint for inference components."""
        scaling = {"Status": "ENABLED", "MinInstanceCount": least, "MaxInstanceCount": most}
        variant = self.variant(None, ManagedInstanceScaling=scaling, **more)
        self.config(name, variant, ExecutionRoleArn=self.role)
        self.sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return self.settled(name)

    def component(self, name="part", endpoint="shared", copies=1, accelerators=1, model="student", **more):
        specification = {
            "ModelName": model,
            "ComputeResourceRequirements": {
                "NumberOfAcceleratorDevicesRequired": accelerators,
                "MinMemoryRequiredInMb": 1024,
            },
            **more,
        }
        self.sm.create_inference_component(
            InferenceComponentName=name,
            EndpointName=endpoint,
            Specification={key: value for key, value in specification.items() if value is not None},
            RuntimeConfig={"CopyCount": copies},
        )
        return self.settled_component(name)

    def settled(self, name="student"):
        assert self.cloud.clock.settle()
        return self.sm.describe_endpoint(EndpointName=name)

    def settled_component(self, name="part"):
        assert self.cloud.clock.settle()
        return self.sm.describe_inference_component(InferenceComponentName=name)

    def log_of(self, name="student"):
        """What the endpoint's containers wrote."""
        group = f"/aws/sagemaker/Endpoints/{name}"
        if not self.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        return [
            event["message"]
            for stream in self.logs.describe_log_streams(logGroupName=group)["logStreams"]
            for event in self.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])[
                "events"
            ]
        ]

    def ask(self, body, name="student", **more):
        return self.runtime.invoke_endpoint(
            EndpointName=name, Body=json.dumps(body), ContentType="application/json", **more
        )

    def ask_stream(self, body, name="student", **more):
        return self.runtime.invoke_endpoint_with_response_stream(
            EndpointName=name, Body=json.dumps(body), ContentType="application/json", **more
        )


@contextmanager
def open_stage(student=None, **options):
    """An open stage, with a model directory uploaded if one is given."""
    with Cloud(**options) as cloud:
        stage = Stage(cloud)
        if student is not None:
            stage.upload(student)
        yield stage
