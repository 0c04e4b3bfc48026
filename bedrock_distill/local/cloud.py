"""The local cloud as one object: open it, make sessions and clients in it, serve it, close it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bedrock_distill.errors import MissingDependencyError, SpecError
from bedrock_distill.local.calls import CallLog
from bedrock_distill.local.clock import ClockMode, LocalClock
from bedrock_distill.local.doors.environment import ACCESS_KEY, Environment
from bedrock_distill.local.faults import Fault, Faults
from bedrock_distill.local.grants import Grants
from bedrock_distill.local.ids import Ids
from bedrock_distill.local.store import Store
from bedrock_distill.local.world import TrainingSettings, World
from bedrock_distill.uris import S3Uri, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import boto3.session

    from bedrock_distill.catalog import Catalog
    from bedrock_distill.local.doors.http import Server
    from bedrock_distill.local.doors.process import ProcessDoor
    from bedrock_distill.local.gateway.gateway import Gateway
    from bedrock_distill.session import Session

__all__ = ["Cloud"]

_one_at_a_time = threading.Lock()
_open: Cloud | None = None


class Cloud:
    """A local cloud: Bedrock, S3, IAM and STS in this process, with nothing behind them but this machine.

        with bd.local.Cloud(teachers={"amazon.nova-pro-v1:0": answer}) as cloud:
            session = cloud.session()

    While it is open, every boto3 session and client made in this process is answered by it; `serve()` lets other processes
    in. It changes environment variables and botocore's handlers, and puts them back when it closes, so only one can be open
    in a process at a time.

    Args:
        teachers: Who answers for which model id: a function of a record, a path to recorded pairs or to a Hugging Face
            directory, or a `Teacher`.
        region: The default region of sessions; every region works, and keeps its own resources.
        account_id: The account that owns everything, 12 digits.
        clock: `instant`, `polls` or `real`; see `bedrock_distill.local.clock`.
        polls: With `clock="polls"`, how many describes see each phase of a resource.
        seed: Seed of every id, of moto's ids and of training.
        faults: Fault rules in force from the beginning.
        training: How students are trained.
        workdir: Where weights and scratch files go: into a new directory in it, which stays when the cloud closes, to be
            looked at. A cloud opens empty and reads nothing of an earlier one's. None takes a temporary directory, removed
            at the end.
        catalog: Facts to use in place of those that come with the package.
        services: Makes the services from the world; None takes the package's own.

    Raises:
        SpecError: If an argument breaks its rule.
    """

    def __init__(
        self,
        *,
        teachers: Mapping[str, Any] | None = None,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        clock: ClockMode = "instant",
        polls: int = 1,
        seed: int = 0,
        faults: Iterable[Fault] = (),
        training: TrainingSettings | None = None,
        workdir: str | os.PathLike[str] | None = None,
        catalog: Catalog | None = None,
        services: Callable[[World], Mapping[str, object]] | None = None,
    ) -> None:
        if not (account_id.isascii() and account_id.isdecimal() and len(account_id) == 12):
            raise SpecError(
                f"An account id is 12 digits, not {account_id!r}.", field="account_id", value=account_id
            )
        try:
            self.clock = LocalClock(clock, polls=polls)
        except ValueError as error:
            raise SpecError(str(error), field="clock", value=clock) from error
        self.region = region
        self.account_id = account_id
        self.seed = seed
        self.faults = Faults(faults)
        self.calls = CallLog()
        self._teachers = dict(teachers or {})
        self._training = training or TrainingSettings()
        self._given_workdir = Path(workdir) if workdir is not None else None
        self._catalog = catalog
        self._make_services = services
        self._world: World | None = None
        self._gateway: Gateway | None = None
        self._door: ProcessDoor | None = None
        self._running: Mapping[str, object] = {}
        self._servers: list[Server] = []
        self._own_server: Server | None = None
        self._opened_by = 0
        self._closing = contextlib.ExitStack()
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.Lock()

    @property
    def world(self) -> World:
        """What the services share."""
        self._check_open()
        assert self._world is not None  # noqa: S101 - set while open
        return self._world

    def open(self) -> Self:
        """Open the cloud; `with` does it for you.

        Raises:
            SpecError: If this or another local cloud is open in this process, or moto's `mock_aws` is active.
        """
        global _open  # noqa: PLW0603 - what it changes is global to the process, so this is too
        with _one_at_a_time:
            if _open is not None:
                raise SpecError(
                    "A local cloud is open in this process already, and it answers every boto3 client here. "
                    "Close it first, or use it."
                )
            _open = self
        self._opened_by = os.getpid()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop background work and servers, forget everything, and put the process back as it was. Twice is once.

        In a process that was forked off while the cloud was open, nothing happens: the cloud is its parent's.
        """
        global _open  # noqa: PLW0603 - see open
        if _open is not self or self._opened_by != os.getpid():
            return
        try:
            self._closing.close()
        finally:
            self._world = self._gateway = self._door = self._own_server = None
            self._clients.clear()
            with _one_at_a_time:
                _open = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def boto3_session(self, region: str | None = None) -> boto3.session.Session:
        """A `boto3.Session` whose clients are answered by this cloud.

        Args:
            region: Its region; None takes the cloud's.
        """
        return self._open_door().session(region or self.region)

    def session(self, **options: Any) -> Session:
        """A `bedrock_distill.Session` in this cloud, waiting by its clock.

        Args:
            **options: What `Session` takes, such as `region`.
        """
        from bedrock_distill.session import Session  # noqa: PLC0415 - the library, only for who asks for it

        region = options.pop("region", None) or self.region
        settings: dict[str, Any] = {
            "boto_session": self.boto3_session(region),
            "region": region,
            "clock": self.clock,
            "state_dir": self.world.workdir / "journals",
        }
        return Session(**(settings | options))

    def bucket(self, name: str, *, region: str | None = None) -> S3Uri:
        """Create a bucket, if it is not there.

        Args:
            name: Its name.
            region: Its region; None takes the cloud's.

        Returns:
            Its URI, to build keys on with `/`.

        Raises:
            SpecError: If S3 does not take the name.
        """
        where = region or self.region
        elsewhere = (
            {} if where == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": where}}
        )
        client = self._own_client("s3", where)
        try:
            client.create_bucket(Bucket=name, **elsewhere)
        except client.exceptions.BucketAlreadyOwnedByYou:
            pass
        except client.exceptions.ClientError as error:
            raise SpecError(
                f"Could not create the bucket {name!r}: {error}", field="name", value=name
            ) from error
        return S3Uri(name)

    def serve(self, port: int = 0) -> Server:
        """Let other processes in, over HTTP on 127.0.0.1, until the server or the cloud closes.

        Args:
            port: Port to listen on; 0 takes a free one.

        Returns:
            The server, with the `url` and the `environment` its clients need.

        Raises:
            OSError: If the port is taken.
            MissingDependencyError: If the extra `[local]` is not installed.
        """
        try:
            from bedrock_distill.local.doors.http import Server  # noqa: PLC0415 - werkzeug, only for who serves
        except ImportError as error:
            raise MissingDependencyError(
                "Serving the local cloud over HTTP needs flask with werkzeug, which is not installed. "
                "Install it with: pip install 'bedrock-distill[local]'",
                extra="local",
            ) from error
        door = self._open_door()
        assert self._gateway is not None  # noqa: S101 - set while open
        server = Server(self._gateway, region=self.region, port=port, on_close=self._server_closed)
        door.guard.servers.add((server.host, server.port))
        self._servers.append(server)
        return server

    def __repr__(self) -> str:
        state = "open" if _open is self else "closed"
        return f"Cloud({state}, region={self.region!r}, clock={self.clock.mode!r}, {len(self.calls)} calls)"

    def flush(self) -> None:
        """Deliver what services hold back for a moment, such as invocation logs on their way to S3."""
        self._check_open()
        for service in self._running.values():
            if hasattr(service, "flush"):
                service.flush()

    def _build(self) -> None:
        """Make the world, the services, the gateway and the door, in the order in which they need each other."""
        from bedrock_distill.catalog import load_catalog  # noqa: PLC0415 - data files, only for an open cloud
        from bedrock_distill.local.doors.process import ProcessDoor, refuse_other_doors  # noqa: PLC0415 - boto3 is heavy
        from bedrock_distill.local.gateway.gateway import Gateway  # noqa: PLC0415 - botocore is heavy
        from bedrock_distill.local.gateway.targets import Targets  # noqa: PLC0415 - botocore is heavy
        from bedrock_distill.local.moto_bridge import MOTO_SERVICES, Moto  # noqa: PLC0415 - see above

        refuse_other_doors()
        ids, grants = Ids(self.seed), Grants()
        catalog = self._catalog or load_catalog()
        self._world = World(
            account_id=self.account_id,
            catalog=catalog,
            clock=self.clock,
            ids=ids,
            store=Store(),
            workdir=self._make_workdir(),
            teachers=self._read_teachers(catalog),
            training=self._training,
            client=self._own_client,
            flush=self.flush,
            door_url=self._own_door,
            grants=grants,
            seed=self.seed,
        )
        services = self._services()(self._world)
        moto = Moto(self.account_id, self.seed)
        self._closing.callback(moto.close)
        self._gateway = Gateway(
            targets=Targets(tuple(services), MOTO_SERVICES, self.region),
            services=services,
            neighbour=moto,
            account_id=self.account_id,
            caller_arn=self._caller_arn,
            clock=self.clock,
            ids=ids.spawn("requests"),
            faults=self.faults,
            calls=self.calls,
            permit=grants.check,
        )
        environment = Environment(self.region)
        environment.enter()
        self._closing.callback(environment.leave)
        door = ProcessDoor(self._gateway, moto, self.region)
        door.open()
        self._closing.callback(door.close)
        self._door = door
        self._running = services
        for service in services.values():
            if hasattr(service, "close"):
                self._closing.callback(service.close)
        self._closing.callback(self.clock.close)
        self._closing.callback(self._close_servers)

    def _services(self) -> Callable[[World], Mapping[str, object]]:
        if self._make_services is not None:
            return self._make_services
        from bedrock_distill.local.services import services  # noqa: PLC0415 - heavy, and only for an open cloud

        return services

    def _read_teachers(self, catalog: Catalog) -> dict[str, Any]:
        if not self._teachers:
            return {}
        for model in self._teachers:
            catalog.model(model)  # a teacher for a model that there is not would never be asked
        from bedrock_distill.local.teachers import as_teacher  # noqa: PLC0415 - only where there are teachers

        return {model: as_teacher(teacher) for model, teacher in self._teachers.items()}

    def _make_workdir(self) -> Path:
        # A directory of its own: the same seed makes the same names, and another run's files must not answer for this one.
        if self._given_workdir is not None:
            try:
                self._given_workdir.mkdir(parents=True, exist_ok=True)
                return Path(tempfile.mkdtemp(prefix="cloud-", dir=self._given_workdir))
            except OSError as error:
                raise SpecError(
                    f"The local cloud cannot work in {self._given_workdir}: {error.strerror}.",
                    field="workdir",
                ) from error
        path = Path(tempfile.mkdtemp(prefix="bedrock-distill-"))
        self._closing.callback(shutil.rmtree, path, ignore_errors=True)
        return path

    def _own_client(self, service: str, region: str) -> Any:
        """A client for the cloud's own use, made once for each service and region."""
        door = self._open_door()
        with self._clients_lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = door.own_client(service, region)
            return self._clients[key]

    def _own_door(self) -> str:
        """An HTTP door for what the cloud runs in processes of its own; the user's may be closed at any time."""
        self._check_open()
        with self._clients_lock:
            if self._own_server is None:
                self._own_server = self.serve()
            return self._own_server.url

    def _caller_arn(self, access_key: str | None, region: str) -> str:
        """Who holds an access key: what STS answers for it. Our own key needs no asking."""
        if access_key is None or access_key == ACCESS_KEY:
            return f"arn:{partition_of(region)}:sts::{self.account_id}:user/moto"
        return self._open_door().identity(access_key, region)

    def _close_servers(self) -> None:
        for server in list(self._servers):
            server.close()

    def _server_closed(self, server: Server) -> None:
        self._servers.remove(server)
        if self._door is not None:
            self._door.guard.servers.discard((server.host, server.port))

    def _open_door(self) -> ProcessDoor:
        self._check_open()
        assert self._door is not None  # noqa: S101 - set while open
        return self._door

    def _check_open(self) -> None:
        if self._door is None:
            raise SpecError("This local cloud is not open: use it inside `with Cloud() as cloud:`.")
