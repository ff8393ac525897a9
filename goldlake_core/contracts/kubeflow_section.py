"""Reads ``kubeflow`` of a model's file: the profile that `goldlake compile` takes."""

from __future__ import annotations

from collections.abc import Iterator

from goldlake_core.contracts.errors import ContractError
from goldlake_core.contracts.keys import keys_of
from goldlake_core.contracts.names import nearest
from goldlake_core.contracts.read import Errors, Found, read_section
from goldlake_core.contracts.sections import STEPS, Kubeflow, KubeflowStep
from goldlake_core.contracts.yaml_entry import Entry

ROOTS = ("gs://",)
"""File systems that TensorFlow writes to without a plugin, of those that Kubeflow knows."""


def read_kubeflow(entry: Entry, errors: Errors) -> Kubeflow | None:
    """The profile, or None where something does not hold.

    Args:
        entry: The value of the key ``kubeflow``.
        errors: Where errors are kept.
    """
    before = len(errors.found)
    found = read_section(entry, keys_of(Kubeflow), errors)
    errors.add(_root_errors(found))
    errors.add(_usecase_errors(found))
    errors.add(_repeated_errors(found))
    steps: dict[str, KubeflowStep] = {}
    if found.has("steps"):
        for name, item in (errors.catch(found.entries["steps"].members) or {}).items():
            if name not in STEPS:
                problem = item.error(
                    f"a compiled pipeline has no step {name!r}", valid=nearest(name, STEPS)
                )
                errors.found.append(problem)
                continue
            inner = read_section(item, keys_of(KubeflowStep), errors)
            errors.add(_accelerator_errors(inner))
            if not inner.broken:
                steps[name] = KubeflowStep(**inner.values)
    if len(errors.found) > before:
        return None
    return Kubeflow(**{**found.values, "steps": steps})


def _root_errors(found: Found) -> Iterator[ContractError]:
    if not found.has("pipeline_root"):
        return
    root = found.values["pipeline_root"]
    if not root.startswith(ROOTS):
        yield found.entries["pipeline_root"].error(
            f"TensorFlow cannot write to {root!r} from a container of Kubeflow Pipelines",
            valid="gs://BUCKET/FOLDER",
        )


def _usecase_errors(found: Found) -> Iterator[ContractError]:
    if found.has("usecase") and "://" in found.values["usecase"]:
        yield found.entries["usecase"].error(
            f"{found.values['usecase']!r} is a URL, and Python imports from folders",
            valid="an absolute path inside the image, such as /app/my_usecase",
        )


def _repeated_errors(found: Found) -> Iterator[ContractError]:
    names = found.values.get("parameters") or ()
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield found.entries["parameters"].error(
            f"the parameter {name!r} is listed twice", valid="each parameter once"
        )


def _accelerator_errors(found: Found) -> Iterator[ContractError]:
    if found.has("accelerators") and not found.has("accelerator"):
        yield found.entries["accelerators"].error(
            "a number of accelerators without their kind", valid="accelerator: nvidia.com/gpu"
        )
