"""Exports of a model: made where one is needed, and compared with what they were."""

from __future__ import annotations

from collections import defaultdict

from goldlake.workflows.history import recorded
from goldlake.workflows.ingest import usecase_reference
from goldlake.workflows.names import load_model
from goldlake.workflows.processes import OnEvent, Run, StageFailed
from goldlake_core.contracts.errors import GoldlakeError, UsageError
from goldlake_core.contracts.ids import ModelId
from goldlake_core.contracts.sections import Model, UseCase
from goldlake_core.documents.export import ExportChecked, ExportsVerified
from goldlake_core.documents.lakehouse import Exported
from goldlake_core.documents.stages import ExportRequest
from goldlake_core.storage.exports import Damage, examined, export_ids
from goldlake_core.storage.home import Home
from goldlake_core.storage.model_versions import pushed_versions


def exported(
    run: Run,
    reference: str,
    usecase: UseCase,
    model: Model,
    on_event: OnEvent,
    version: int | None = None,
) -> Exported:
    """The export of a gold version, which is made where there is none.

    Args:
        run: The run that needs it.
        reference: How the stage finds the use case.
        usecase: The use case.
        model: Its model contract.
        on_event: Called with the stage's events.
        version: Gold table version, or None for the newest.

    Raises:
        StageFailed: The stage ended with an error.
    """
    request = run.request(ExportRequest, reference, usecase, model=model.name, version=version)
    found: Exported = run.stages("lakehouse", [request], on_event)["export"]
    return found


@recorded("export")
def verify(model: str, home: Home, version: int | None, on_event: OnEvent) -> ExportsVerified:
    """Compares exports with their manifests, and those with what pushed versions name.

    Idempotent. Spark is started only where an export has to be written again.

    Args:
        model: Such as ``city_bikes.is_late``.
        home: Where everything is kept.
        version: Only the export of this gold version, or None for all.
        on_event: Called with the events of the stage that writes again.

    Raises:
        UsageError: There is no such model, or no export of that version.
    """
    usecase, contract = load_model(model)
    model_id = ModelId(usecase.name, contract.name)
    made: dict[str, list[str]] = defaultdict(list)
    digests: dict[str, str] = {}
    for number, about in pushed_versions(home, usecase.name, contract.name).items():
        if about is not None and about.export_id and about.manifest_sha256:
            made[about.export_id].append(str(model_id.at(number)))
            digests[about.export_id] = about.manifest_sha256
    there = export_ids(home, usecase.name, contract.name)
    known = [*there, *sorted(each for each in made if each not in there)]
    wanted = [each for each in known if version in (None, _version_of(each))]
    if version is not None and not wanted:
        raise UsageError(
            f"There is no export of version {version} of {usecase.name}.gold.{contract.table}",
            valid=", ".join(dict.fromkeys(str(_version_of(each)) for each in known)) or None,
            hint=f"goldlake export {model_id} --version {version}",
        )
    reference = usecase_reference(model, usecase.name)
    exports = []
    for export_id in wanted:
        digest = digests.get(export_id)
        found = examined(home, export_id, digest)
        state = (
            ExportChecked(export_id=export_id, state="whole", models=tuple(made[export_id]))
            if not isinstance(found, Damage)
            else _mended(
                (usecase, contract, reference),
                home,
                (export_id, digest, tuple(made[export_id])),
                found,
                on_event,
            )
        )
        exports.append(state)
    return ExportsVerified(model=str(model_id), exports=tuple(exports))


def _version_of(export_id: str) -> int:
    return int(export_id.rpartition("/")[2].partition("-")[0])


def _mended(
    of: tuple[UseCase, Model, str],
    home: Home,
    export: tuple[str, str | None, tuple[str, ...]],
    damage: Damage,
    on_event: OnEvent,
) -> ExportChecked:
    """Writes a damaged export again from its gold version, or says why it is lost."""
    from lakehouse.export import name_of

    usecase, model, reference = of
    export_id, digest, models = export
    version = _version_of(export_id)
    try:
        name = name_of(usecase, model, home, version)
        if name != export_id.rpartition("/")[2]:
            raise UsageError(
                f"version {version} of {usecase.name}.gold.{model.table} would now be exported as "
                f"{name}: the contract of its export changed since, or the table is another one"
            )
        run = Run.new(home)
        request = run.request(
            ExportRequest,
            reference,
            usecase,
            model=model.name,
            version=version,
            manifest_sha256=digest,
        )
        run.stages("lakehouse", [request], on_event)
        after = examined(home, export_id, digest)
        why = after.problem if isinstance(after, Damage) else ""
    except GoldlakeError as error:
        why = error.error.message if isinstance(error, StageFailed) else error.message
    return ExportChecked(
        export_id=export_id,
        state="lost" if why else "written again",
        problem=f"{damage.problem}; {why}" if why else damage.problem,
        models=models,
    )
