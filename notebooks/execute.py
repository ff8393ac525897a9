"""Executes the notebooks against a home and stores their outputs.

usage: python notebooks/execute.py [--home HOME] [NOTEBOOK…]

The stored outputs are what the book shows: figures as Plotly's JSON, tables as HTML, plain text.
Without --home it is GOLDLAKE_HOME, or ``var/demo``, which `make run` leaves behind.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
TIMEOUT_S = 600


def execute(file: Path, home: str) -> Any:
    """The executed notebook; the file stays as it is.

    Args:
        file: The notebook to execute.
        home: Folder of a home that holds what the notebook reads.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(file, as_version=4)
    environment = {
        **os.environ,
        "GOLDLAKE_HOME": home,
        "PLOTLY_RENDERER": "plotly_mimetype",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    # How a kernel cuts what a cell prints into messages depends on the clock.
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        coalesce_streams=True,
        resources={"metadata": {"path": str(file.parent)}},
    )
    client.execute(env=environment)
    return stored(notebook)


def stored(notebook: Any) -> Any:
    """The notebook without what differs from one execution to the next and tells nothing."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        # Libraries' warnings, and paths of the machine in them, are nobody's to read.
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = None
            figure = output.get("data", {}).get("application/vnd.plotly.v1+json")
            if figure is not None:
                output["data"] = {"application/vnd.plotly.v1+json": _without_template(figure)}
    notebook.metadata.pop("widgets", None)
    return notebook


def _without_template(figure: Any) -> Any:
    """The template without styles of traces that the figure does not have."""
    template = figure["layout"].get("template", {})
    used = {trace.get("type", "scatter") for trace in figure["data"]}
    styles = template.get("data", {})
    template["data"] = {kind: style for kind, style in styles.items() if kind in used}
    figure["config"] = {}
    return figure


def main() -> None:
    """Executes and stores."""
    import nbformat

    parser = argparse.ArgumentParser(description="Execute notebooks and store what they show.")
    default = os.environ.get("GOLDLAKE_HOME") or str(FOLDER.parent / "var" / "demo")
    parser.add_argument("--home", default=default)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(FOLDER.glob("*.ipynb")))
    options = parser.parse_args()
    for file in options.notebooks:
        notebook = execute(file, str(Path(options.home).resolve()))
        nbformat.write(notebook, file)
        print(f"{file.name}: {file.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
