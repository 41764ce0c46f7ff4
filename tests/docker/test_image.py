"""The image: lints clean, pins what it brings, has nothing secret in its layers and runs as an ordinary user."""

import re
import subprocess

import pytest

from tests.docker.repository import DOCKER, IMAGE, PINNED, PYPROJECT, ROOT, VERSION, tool

TEXT = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.M)


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name, each in one line."""
    lines = TEXT.replace("\\\n", " ").splitlines()
    return [" ".join(line.split()[1:]) for line in lines if line.split()[:1] == [name]]


def test_the_linter_finds_nothing() -> None:
    assert tool("hadolint", "docker/Dockerfile") == ""


def test_the_base_is_one_version_of_the_python_that_the_project_is_checked_with() -> None:
    (base,) = instructions("FROM")
    found = IMAGE.fullmatch(base)
    assert found, base
    assert found[1].rpartition(".")[0] == PYPROJECT["tool"]["mypy"]["python_version"]


def test_packages_come_in_the_pinned_versions_and_the_project_brings_no_others() -> None:
    packages, project = (line for line in instructions("RUN") if "pip install" in line)
    assert "--constraint requirements.txt --requirement pyproject.toml" in packages
    assert re.search(r"pip install --no-cache-dir uv==\d+\.\d+\.\d+ ", packages)
    assert "--no-deps ." in project
    assert {"ray", "torch", "torchvision"} <= PINNED.keys()
    assert all(re.fullmatch(r"[a-z0-9-]+", name) and re.fullmatch(r"[0-9a-z.]+", v) for name, v in PINNED.items())


def test_it_runs_as_a_user_without_rights() -> None:
    assert instructions("USER") == ["${UID}"]
    assert "UID=1000" in instructions("ARG")
    assert TEXT.rindex("\nUSER") > TEXT.rindex("\nRUN")


def test_its_layers_hold_what_is_copied_by_name_and_that_is_no_secret() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for line in instructions("COPY") for source in line.split()[:-1]]
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)
    assert not instructions("ADD")
    named = " ".join(instructions("ARG") + instructions("ENV"))
    assert not re.search("token|secret|password|key|credential", named, re.I)


def test_a_user_that_the_base_has_already_is_refused_in_one_line() -> None:
    check = instructions("RUN")[0].partition(" && useradd")[0]
    line = "UID is an ordinary user's number, such as 1000; got '0', which the base image has already\n"
    for number, expected in (("0", (2, "", line)), ("54321", (0, "", ""))):
        done = subprocess.run(["sh", "-c", check.replace("$UID", number)], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == expected


def test_it_says_nothing_of_its_health_as_a_single_container_has_no_node_to_ask() -> None:
    assert not instructions("HEALTHCHECK")


@pytest.mark.parametrize(
    "file", ["Dockerfile", "README.md", "compose.yaml", "compose.gpu.yaml", "kubernetes/search.yaml"]
)
def test_its_tag_is_everywhere_that_of_this_version(file: str) -> None:
    tags = re.findall(r"hpsearch:([\w.-]+)", (DOCKER / file).read_text())
    assert tags
    assert set(tags) <= {f"{VERSION}-cpu", f"{VERSION}-cuda"}
