"""An endpoint on its way: created, updated, rolled back, resized, deleted.

Each way is a list of phases of the cloud's clock. The work of a phase brings containers up and puts what came of it into
the endpoint's row; the row's status is the name of the phase it is in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bedrock_distill.local.clock import Phase
from bedrock_distill.local.services.bedrock.state import moment
from bedrock_distill.local.services.sagemaker.alarms import first_in_alarm
from bedrock_distill.local.services.sagemaker.hosting import HostingError, Order
from bedrock_distill.local.services.sagemaker.state import Tables, Variant, container_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bedrock_distill.local.clock import Phases
    from bedrock_distill.local.services.sagemaker.hosting import Hosting
    from bedrock_distill.local.services.sagemaker.state import Endpoint, EndpointConfig
    from bedrock_distill.local.world import World

__all__ = ["Deploying"]

_ROLLING_BACK_S, _RESIZING_S, _DELETING_S = 60.0, 30.0, 20.0


class Deploying:
    """Brings endpoints from one state to the next. Every method stores the row and returns what begins the way."""

    def __init__(self, world: World, hosting: Hosting) -> None:
        self._world = world
        self._hosting = hosting

    def create(self, endpoint: Endpoint, account_id: str) -> Callable[[], object]:
        """Bring its containers up; it fails if one does not come up."""

        def work() -> None:
            try:
                variants = self._variants(endpoint, endpoint.config, account_id, {})
            except HostingError as error:
                self._change(endpoint, failure=str(error))
                raise
            self._change(endpoint, variants=variants)

        return self._pass(endpoint, [Phase("Creating", work)])

    def update(
        self, endpoint: Endpoint, account_id: str, retained: Mapping[str, Mapping[str, Any]]
    ) -> Callable[[], object]:
        """Bring the target's containers up, watch the alarms, and change over; or roll back.

        Args:
            endpoint: Its row, with the target.
            account_id: The account.
            retained: Fields of variants to keep, by variant.
        """
        target = endpoint.target
        if target is None:
            raise RuntimeError("an update needs a target")
        ready: list[tuple[Variant, ...]] = []

        def start() -> None:
            self._alarm(endpoint)
            ready.append(self._variants(endpoint, target, account_id, retained))

        def change_over() -> None:
            self._alarm(endpoint)
            self._change(endpoint, variants=ready[0], config=target, target=None)

        def guarded(work: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                if self._row(endpoint).failure:
                    return  # rolled back already
                try:
                    work()
                except HostingError as error:
                    self._roll_back(endpoint, str(error), account_id)

            return run

        return self._pass(
            endpoint, [Phase("Updating", guarded(start)), Phase("Updating", guarded(change_over))]
        )

    def resize(self, endpoint: Endpoint, variants: tuple[Variant, ...]) -> Callable[[], object]:
        """Change instances and weights."""

        def done(phases: Phases) -> None:
            if phases.outcome == "done":
                self._change(endpoint, variants=variants)

        return self._pass(endpoint, [Phase("Updating", lasts_s=_RESIZING_S)], done)

    def delete(self, endpoint: Endpoint) -> Callable[[], object]:
        """Take it down; at the end it is gone."""

        def done(phases: Phases) -> None:
            if phases.outcome != "running":
                tables = Tables(self._world, endpoint.region)
                tables.endpoints.delete(endpoint.name)
                tables.tags.delete(endpoint.arn)
                self._hosting.unload_unused()

        return self._pass(endpoint, [Phase("Deleting", lasts_s=_DELETING_S)], done)

    def _pass(
        self,
        endpoint: Endpoint,
        phases: list[Phase],
        on_change: Callable[[Phases], None] | None = None,
    ) -> Callable[[], object]:
        passing = self._world.clock.phases(phases, on_change=on_change)
        Tables(self._world, endpoint.region).endpoints.put(endpoint.name, replace(endpoint, passing=passing))
        return passing.start

    def _roll_back(self, endpoint: Endpoint, reason: str, account_id: str) -> None:
        """Go back to what served before, and say why.

        A rolling update has given up instances for the new configuration: the old one's containers are started on them
        anew, and where they do not start, the rollback has failed. Blue/green kept the old instances.
        """
        rolling = (endpoint.deployment or {}).get("RollingUpdatePolicy") is not None

        def restart() -> None:
            try:
                self._variants(endpoint, endpoint.config, account_id, {})
            except HostingError as error:
                self._change(
                    endpoint, settled="UpdateRollbackFailed", failure=f"{reason} The rollback failed: {error}"
                )

        phase = Phase("RollingBack", restart) if rolling else Phase("RollingBack", lasts_s=_ROLLING_BACK_S)
        passing = self._world.clock.phases([phase])
        self._change(endpoint, failure=reason, target=None, passing=passing)
        passing.start()

    def _alarm(self, endpoint: Endpoint) -> None:
        name = first_in_alarm(self._world, endpoint.region, endpoint.deployment)
        if name is not None:
            raise HostingError(
                f"One or more configured alarm(s) went into ALARM state during deployment: {name}. "
                "The update was rolled back."
            )

    def _row(self, endpoint: Endpoint) -> Endpoint:
        return Tables(self._world, endpoint.region).endpoints.get(endpoint.name) or endpoint

    def _change(self, endpoint: Endpoint, **changes: Any) -> None:
        Tables(self._world, endpoint.region).endpoints.update(
            endpoint.name, lambda row: replace(row, modified=moment(self._world), **changes)
        )

    def _variants(
        self,
        endpoint: Endpoint,
        config: EndpointConfig,
        account_id: str,
        retained: Mapping[str, Mapping[str, Any]],
    ) -> tuple[Variant, ...]:
        return tuple(
            replace(self._variant(endpoint, request, account_id), **retained.get(request["VariantName"], {}))
            for request in config.variants
        )

    def _variant(self, endpoint: Endpoint, request: Mapping[str, Any], account_id: str) -> Variant:
        """Bring one variant up.

        Raises:
            HostingError: If its container does not become healthy.
        """
        served = None
        if name := request.get("ModelName"):
            model = Tables(self._world, endpoint.region).models.get(name)
            if model is None:
                raise HostingError(f'Could not find model "{name}": it was deleted.')
            served = self._hosting.start(
                Order(
                    endpoint=endpoint.name,
                    variant=request["VariantName"],
                    container=container_of(model),
                    role_arn=model.request["ExecutionRoleArn"],
                    settings=request,
                    region=endpoint.region,
                    account_id=account_id,
                )
            )
        return Variant(
            request=request,
            served=served,
            weight=request.get("InitialVariantWeight", 1.0),
            instances=request.get("InitialInstanceCount", 1),
            started=moment(self._world),
        )
