"""Packaging of goldlake. Tool settings are in pyproject.toml, exact versions in requirements/."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup

PACKAGES = [
    "goldlake",
    "goldlake.cli",
    "goldlake.cli.commands",
    "goldlake.simulators",
    "goldlake.simulators.socrata",
    "goldlake.workflows",
    "goldlake.workflows.pages",
    "goldlake_core",
    "goldlake_core.contracts",
    "goldlake_core.documents",
    "goldlake_core.storage",
    "lakehouse",
    "lakehouse.sources",
    "metadata",
    "serving",
    "tfx_pipeline",
    "tfx_pipeline.components",
    "tfx_pipeline.evaluation",
    "tfx_pipeline.modules",
    "usecases",
]

# Ranges that the code is written for. What is tested is one set of versions that were built for
# each other, requirements/stack-*.txt.
REQUIREMENTS = [
    # Lakehouse. delta-spark 4.4.1 has no JAR to go with it.
    "delta-spark>=4.4.0,!=4.4.1,<5",
    "pyspark>=4.2,<5",
    # TFX and what it stands on.
    "apache-beam>=2.62,<3",
    "ml-metadata>=1.16,<2",
    "tensorboard>=2.16,<3",
    "tensorflow>=2.16,<3",
    "tensorflow-data-validation>=1.16,<2",
    "tfx>=1.16,<2",
    # The engine's own needs.
    "click>=8.1",
    "fsspec>=2024.2",
    "jinja2>=3.1",
    "msgspec>=0.19",
    "orjson>=3.9",
    "plotly>=5.18",
    "polars>=1.0",
    "PyYAML>=6.0",
    "requests>=2.31",
    "rich>=13.7",
    "sqlglot>=26",
    "tzdata",
    "urllib3>=1.26",
    "uvicorn>=0.27",
]

EXTRAS = {
    "kfp": ["tfx[kfp]>=1.16,<2"],
    "test": [
        "hypothesis",
        "import-linter",
        "ipykernel",
        "mypy",
        "nbclient",
        "nbformat",
        "pytest",
        "pytest-timeout",
        "ruff",
        "scikit-learn",
        "types-PyYAML",
        "types-requests",
    ],
}

readme = Path(__file__).with_name("README.md")

setup(
    name="goldlake",
    version="0.1.0",
    description="From a public API to a served TensorFlow model that can name its training rows",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=PACKAGES,
    package_data={"usecases": ["*/*.py", "*/*.yaml", "*/models/*.yaml"]},
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["goldlake = goldlake.cli.main:main"]},
    zip_safe=False,
)
