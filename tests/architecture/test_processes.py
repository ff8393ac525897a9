"""How the product starts other Python processes: by `goldlake.workflows.launch` only."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = (
    "goldlake",
    "goldlake_core",
    "goldlake_simulators",
    "lakehouse",
    "metadata",
    "serving",
    "tfx_pipeline",
)


def files_with(text: str, *folders: str) -> list[str]:
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return [f.relative_to(ROOT).as_posix() for f in files if text in f.read_text(encoding="utf-8")]


def test_no_process_is_started_with_the_working_directory_on_its_path() -> None:
    # The command of containers, whose working directory the image sets.
    assert files_with('"-m"', *PRODUCT) == ["tfx_pipeline/kubeflow.py"]
    assert files_with("sys.executable,", *PRODUCT) == ["goldlake/workflows/launch.py"]


def test_no_workflow_starts_the_command_line() -> None:
    assert files_with("goldlake.cli", "goldlake/workflows", "goldlake_simulators") == []
