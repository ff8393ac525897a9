"""Packaging of goldlake. Tool settings are in pyproject.toml, exact versions in requirements/."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

# Everything with an `__init__.py` is a package, and these are not part of the product.
NOT_SHIPPED = ["benchmarks", "benchmarks.*", "tests", "tests.*"]

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
    "tensorflow-serving-api>=2.16,<3",
    "tfx>=1.16,<2",
    # Comes with those in a version that they decide, and is imported here too.
    "grpcio>=1.65,<2",
    "keras>=3.12,<4",
    "keras-tuner>=1.4.7,<2",
    "numpy>=1.26,<3",
    "packaging>=23",
    "pandas>=1.5",
    "protobuf>=3.20.3,<7",
    "pyarrow>=10",
    # TFX 1.16 and Beam 2.62 import pkg_resources, which later ones lack.
    "setuptools<81",
    # What TFX's entry point reads in a container of Kubeflow Pipelines.
    "kfp-pipeline-spec>=0.2.2",
    # The engine's own needs.
    "click>=8.1",
    "fsspec>=2024.2",
    "httptools>=0.6",
    "jinja2>=3.1",
    "markupsafe>=2.1",
    "msgspec>=0.19",
    "orjson>=3.9",
    "plotly>=5.18",
    "polars>=1.0",
    "py3langid>=0.2.2",
    "pypdf>=5",
    "PyYAML>=6.0",
    "requests>=2.31",
    "rich>=13.7",
    "sqlglot>=26",
    'tomli>=2; python_version < "3.11"',
    "tzdata",
    "urllib3>=1.26",
    "uvicorn>=0.27",
    "xxhash>=3.4",
]

EXTRAS = {
    "kafka": ["confluent-kafka>=2.6,<3"],
    "kfp": ["tfx[kfp]>=1.16,<2"],
    "ui": ["python-multipart>=0.0.20", "starlette>=1,<2"],
    "test": [
        "axe-playwright-python",
        "hypothesis",
        "import-linter",
        "ipykernel",
        "mypy",
        "nbclient",
        "nbformat",
        "playwright",
        "pytest",
        "pytest-timeout",
        "ruff",
        "scikit-learn",
        "types-PyYAML",
        "types-requests",
    ],
}

text = Path(__file__).with_name("goldlake").joinpath("__init__.py").read_text(encoding="utf-8")
version = re.findall(r'^__version__ = "(.+)"$', text, re.M)
readme = Path(__file__).with_name("README.md")

setup(
    name="goldlake",
    version=version[0],
    description="From a public API to a served TensorFlow model that can name its training rows",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(exclude=NOT_SHIPPED),
    package_data={
        # py.typed: the types are part of the Python API.
        "goldlake": ["py.typed"],
        "goldlake.ui": ["static/*", "templates/*.html"],
        "goldlake.workflows.report": ["*.css"],
        "lakehouse": ["jars.lock"],
        "lakehouse.checks": ["spark_functions.yaml"],
        "goldlake_core": ["contracts/json_schemas/*.json", "py.typed"],
        "usecases": [
            "*/*.py",
            "*/*.yaml",
            "*/*.csv",
            "*/*.geojson",
            "*/*.txt",
            "*/models/*.yaml",
            "*/examples/*.yaml",
        ],
    },
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["goldlake = goldlake.cli.main:main"]},
    zip_safe=False,
)
