"""The compose files follow the published schema; their containers are confined, bounded, watched and closed."""

import re
from typing import Any

import pytest
import yaml

from tests.docker.repository import DOCKER, IMAGE, tool

FILES = ("compose.yaml", "compose.gpu.yaml", "compose.metrics.yaml")


def resolved(text: str, **environment: str) -> Any:
    """A compose file with its variables replaced, or with their defaults; anchors are YAML's own matter."""
    pattern = re.compile(r"\$\{(\w+)(?::-((?:[^{}]|\$\{\w+\})*))?\}")

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1]) or pattern.sub(value, match[2] or "")

    return yaml.safe_load(pattern.sub(value, text))


def merged(below: Any, above: Any) -> Any:
    """Two files as `docker compose -f below -f above` has them, for the mappings and values that ours hold."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: merged(below[key], new) if key in below else new for key, new in above.items()}


BASE, GPU, METRICS = (resolved((DOCKER / file).read_text(), HOME="/home/me") for file in FILES)
KINDS = {"cpu": BASE["services"], "cuda": merged(BASE, GPU)["services"]}
SERVICES = pytest.mark.parametrize(
    "service",
    [pytest.param(services[name], id=f"{kind}-{name}") for kind, services in KINDS.items() for name in services],
)


def test_they_follow_the_compose_specification() -> None:
    files = [f"docker/{file}" for file in FILES]
    assert tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", *files) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_head_and_workers_run_one_image_of_one_version(kind: str) -> None:
    images = {service["image"] for service in KINDS[kind].values()}
    assert len(images) == 1
    assert IMAGE.fullmatch(*images)
    assert {service["build"]["args"]["TORCH"] for service in KINDS[kind].values()} == {kind}
    assert images.pop().endswith(f"-{kind}")


def test_only_the_dashboard_is_published_and_only_on_loopback() -> None:
    for services in KINDS.values():
        assert {name: service.get("ports") for name, service in services.items()} == {
            "head": ["127.0.0.1:8265:8265"],
            "worker": None,
        }


@SERVICES
def test_a_container_is_confined(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "user", "devices"}
    assert service["volumes"] == ["storage:/storage"]
    assert service["build"]["args"]["UID"] == 1000


@SERVICES
def test_a_container_is_bounded_and_the_object_store_fits(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"[1-9]\d*g", limits["memory"])
    assert service["shm_size"] == limits["memory"]  # Ray takes three tenths of the memory for it
    assert all("size=" in mount for mount in service["tmpfs"])


@SERVICES
def test_a_container_is_watched_and_started_again(service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"
    from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT

    check = service["healthcheck"]
    assert {key: check[key] for key in check if key != "test"} == {
        "interval": "10s",
        "timeout": "5s",
        "start_period": "60s",
        "retries": 6,
    }
    assert check["test"][:3] == ["CMD", "python", "-c"]
    compile(check["test"][3], "health check", "exec")
    assert f":{DEFAULT_DASHBOARD_AGENT_LISTEN_PORT}/api/healthz" in check["test"][3]


def test_workers_wait_for_a_head_that_takes_jobs() -> None:
    head, worker = BASE["services"]["head"], BASE["services"]["worker"]
    assert worker["depends_on"]["head"]["condition"] == "service_healthy"
    kind, *command = head["healthcheck"]["test"]
    assert kind == "CMD"
    compile(command[-1], "health check", "exec")
    assert ":52365/api/healthz" in command[-1]
    assert ":8265/api/gcs_healthz" in command[-1]


@SERVICES
def test_the_token_is_a_file_of_the_user_and_nowhere_in_plain_text(service: dict[str, Any]) -> None:
    assert service["environment"] == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/run/secrets/ray_token"}
    assert service["secrets"] == ["ray_token"]
    assert BASE["secrets"] == {"ray_token": {"file": "/home/me/.ray/auth_token"}}
    theirs = resolved((DOCKER / "compose.yaml").read_text(), HOME="/home/me", RAY_AUTH_TOKEN_PATH="/elsewhere/token")
    assert theirs["secrets"]["ray_token"]["file"] == "/elsewhere/token"


@SERVICES
def test_ray_knows_the_commands(service: dict[str, Any]) -> None:
    from ray.scripts.scripts import start

    program, verb, *options = service["entrypoint"] + service["command"]
    assert (program, verb) == ("ray", "start")
    found = start.make_context(verb, options).params
    assert found["block"]
    if found["head"]:
        assert (found["port"], found["dashboard_port"], found["num_cpus"]) == (6379, 8265, 0)
    else:
        assert found["address"] == "head:6379"
        assert found["num_cpus"] == int(service["deploy"]["resources"]["limits"]["cpus"])


def test_the_workers_have_the_gpus() -> None:
    (device,) = KINDS["cuda"]["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert "reservations" not in KINDS["cuda"]["head"]["deploy"]["resources"]


def test_no_other_compose_file_is_unchecked() -> None:
    assert sorted(path.name for path in DOCKER.glob("*.yaml")) == sorted(FILES)
