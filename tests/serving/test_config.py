from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from goldlake_core.contracts.errors import PermanentError, UsageError
from serving import config
from serving.config import ModelsConfig, ServedModel

TEXT = """\
model_config_list {
  config {
    name: "toy.color"
    base_path: "/lake/models/toy.color"
    model_platform: "tensorflow"
    model_version_policy {
      specific {
        versions: 3
        versions: 12
      }
    }
    version_labels {
      key: "canary"
      value: 12
    }
    version_labels {
      key: "stable"
      value: 3
    }
  }
}
"""
MODEL = ServedModel(
    "toy.color", "/lake/models/toy.color", "specific", (3, 12), labels={"stable": 3, "canary": 12}
)


def test_the_text_is_tf_servings() -> None:
    assert config.render(ModelsConfig((MODEL,))) == TEXT
    assert config.parse(TEXT, "models.config") == ModelsConfig((MODEL,))


def test_every_policy_survives_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "models" / "models.config")
    written = ModelsConfig(
        (
            MODEL,
            ServedModel("a", "/m/a", "all"),
            ServedModel("b", "gs://bucket/b", "latest", latest=2),
            ServedModel("c", "/m/c"),
        )
    )
    assert config.read_or_empty(path) == ModelsConfig()
    config.write(path, written)
    assert config.read(path) == written
    assert config.read_or_empty(path) == written
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["models.config"]
    config.write(path, ModelsConfig())
    assert config.read(path) == ModelsConfig()


def test_another_file_system(tmp_path: Path) -> None:
    config.write("memory://lake/models/models.config", ModelsConfig((MODEL,)))
    assert config.read("memory://lake/models/models.config") == ModelsConfig((MODEL,))


def test_relative_base_paths_are_taken_from_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'model_config_list { config { name: "m" base_path: "m" } }'
    (tmp_path / "models.config").write_text(text)
    model = config.read(str(tmp_path / "models.config")).model("m")
    assert model == ServedModel("m", str(tmp_path / "m"))
    # TF Serving takes absolute paths only, so that is what is written.
    monkeypatch.chdir(tmp_path)
    config.write("out.config", ModelsConfig((ServedModel("m", "here/m"),)))
    assert f'base_path: "{tmp_path}/here/m"' in (tmp_path / "out.config").read_text()


def test_a_file_of_somebody_else_is_served_and_never_rewritten() -> None:
    text = TEXT.replace(
        'model_platform: "tensorflow"', "logging_config { sampling_config { sampling_rate: 0.1 } }"
    )
    assert config.parse(text, "f", is_strict=False) == ModelsConfig((MODEL,))
    with pytest.raises(PermanentError, match=r"f is not a models.config: 5:\d+ .*logging_config"):
        config.parse(text, "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "f is not a models.config: "),
        ('model_config_list { config { name: "a" } }', "f: a model without base_path"),
        ('model_config_list { config { base_path: "/a" } }', "f: a model without name"),
        (
            'model_config_list { config { name: "a" base_path: "/a" } '
            'config { name: "a" base_path: "/b" } }',
            "f names the model 'a' twice",
        ),
    ],
)
def test_what_does_not_hold_is_refused(text: str, message: str) -> None:
    with pytest.raises(PermanentError) as error:
        config.parse(text, "f")
    assert error.value.message.startswith(message)


def test_a_missing_file_names_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no models.config at") as error:
        config.read(str(tmp_path / "models.config"))
    assert error.value.hint is not None
    assert "goldlake run" in error.value.hint


def test_promotion_in_two_phases() -> None:
    first = config.with_label(ModelsConfig(), "toy.color", 1, "stable", "/m/toy.color")
    assert first.model("toy.color") == ServedModel(
        "toy.color", "/m/toy.color", "specific", (1,), labels={"stable": 1}
    )
    both = config.with_version(first, "toy.color", 2)
    assert both.model("toy.color") == ServedModel(
        "toy.color", "/m/toy.color", "specific", (1, 2), labels={"stable": 1}
    )
    assert config.served_version(both, "toy.color") == 1
    moved = config.with_label(both, "toy.color", 2, "stable")
    assert moved.model("toy.color") == ServedModel(
        "toy.color", "/m/toy.color", "specific", (2,), labels={"stable": 2}
    )
    assert config.served_version(moved, "toy.color") == 2


def test_labels_keep_their_versions_and_other_models_stay() -> None:
    other = ServedModel("toy.shade", "/m/toy.shade", "all")
    start = ModelsConfig((other, MODEL))
    moved = config.with_label(start, "toy.color", 13, "stable")
    assert moved.models[0] == other
    assert moved.models[1].versions == (12, 13)
    assert moved.models[1].labels == {"stable": 13, "canary": 12}
    assert config.served_version(moved, "toy.color", "gone") is None
    assert config.served_version(moved, "toy.hue") is None


def test_a_promotion_turns_another_policy_into_versions_by_number() -> None:
    written = ServedModel("toy.color", "/m/toy.color", "latest", labels={"stable": 3})
    loading = config.with_version(ModelsConfig((written,)), "toy.color", 4)
    assert (loading.models[0].policy, loading.models[0].versions) == ("specific", (3, 4))
    assert config.with_label(loading, "toy.color", 4, "stable").models[0].versions == (4,)


def test_only_the_version_that_lost_its_label_goes() -> None:
    # Version 4 is one that another promotion waits for.
    start = ModelsConfig(
        (dataclasses.replace(MODEL, versions=(3, 4, 12, 13), labels={"stable": 3, "canary": 12}),)
    )
    moved = config.with_label(start, "toy.color", 13, "stable")
    assert moved.models[0].versions == (4, 12, 13)
    assert config.with_label(moved, "toy.color", 12, "stable").models[0].versions == (4, 12)
    kept = config.with_label(start, "toy.color", 13, "stable", keep={3})
    assert kept.models[0].versions == (3, 4, 12, 13)


def test_a_version_that_was_not_promoted_can_be_taken_out() -> None:
    start = config.with_version(ModelsConfig((MODEL,)), "toy.color", 13)
    assert config.without_version(start, "toy.color", 13) == ModelsConfig((MODEL,))
    assert config.without_version(start, "toy.color", 13, keep={13}) == start
    assert config.without_version(start, "toy.color", 12) == start
    assert config.without_version(start, "toy.hue", 1) == start
    only = config.with_version(ModelsConfig(), "toy.hue", 1, "/m/toy.hue")
    assert config.without_version(only, "toy.hue", 1) == ModelsConfig()


@pytest.mark.parametrize("label", ["stable", "v2.1_b-c", "7"])
def test_what_can_be_a_label(label: str) -> None:
    config.check_label(label)


@pytest.mark.parametrize("label", ["", "a b", "a/b", "a:b", "-a", ".a", "é", "a" * 65])
def test_what_cannot_be_a_label(label: str) -> None:
    with pytest.raises(UsageError, match="cannot be a label"):
        config.check_label(label)


def test_a_model_never_served_needs_its_folder() -> None:
    with pytest.raises(UsageError, match="The model 'toy.hue' is not in models.config") as error:
        config.with_label(ModelsConfig((MODEL,)), "toy.hue", 1, "stable")
    assert error.value.valid == "toy.color"


_PROMOTER = """
import sys
from serving import config

path, first = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for version in range(first, first + 100, 2):
    config.update(
        path, lambda now: config.with_label(now, f"toy.m{version}", version, "stable", "/m")
    )
"""


def test_two_promoters_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "models" / "models.config"
    promoters = [
        subprocess.Popen(
            [sys.executable, "-c", _PROMOTER, str(path), str(first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in (1, 2)
    ]
    for promoter in promoters:
        assert promoter.stdout is not None
        assert promoter.stdout.readline() == "ready\n"
    for promoter in promoters:
        assert promoter.stdin is not None
        promoter.stdin.write("go\n")
        promoter.stdin.flush()
    for promoter in promoters:
        promoter.communicate(timeout=60)
        assert promoter.returncode == 0
    served = {model.name: model.labels for model in config.read(str(path)).models}
    assert served == {f"toy.m{version}": {"stable": version} for version in range(1, 101)}


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "models.config")
    before = config.update(path, lambda now: config.with_label(now, "toy.a", 1, "stable", "/a"))
    assert before == ModelsConfig()
    with pytest.raises(UsageError, match="'toy.b' is not in models.config"):
        config.update(path, lambda now: config.with_version(now, "toy.b", 1))
    assert config.update(path, lambda now: now).model("toy.a") is not None
