"""Prometheus and Grafana beside the cluster: they ask for what there is, and are confined and closed as the rest is."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from search.run.gauges import COUNTERS, GAUGES
from tests.docker.repository import DOCKER, dashboard_queries
from tests.docker.test_compose import BASE, METRICS, merged

FOLDER = DOCKER / "metrics"
GRAFANA = FOLDER / "grafana"
BOARD = json.loads((GRAFANA / "dashboards" / "search.json").read_text())
PANELS = pytest.mark.parametrize("panel", [pytest.param(each, id=each["title"]) for each in BOARD["panels"]])
SERVICES = pytest.mark.parametrize("service", METRICS["services"].values(), ids=METRICS["services"])

OURS = {f"ray_{name}" for name in GAUGES} | {f"ray_{name}_total" for name in COUNTERS}
RAYS = {"ray_component_uss_bytes", "ray_node_cpu_utilization"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def metrics(query: str) -> set[str]:
    return set(re.findall(r"\bray_\w+", query))


# ---- the dashboard


def test_every_metric_of_a_search_is_shown_and_every_other_is_one_of_rays() -> None:
    asked = set().union(*map(metrics, dashboard_queries()))
    assert asked == OURS | RAYS
    exported = (Path(ray.__file__).parent / "dashboard/modules/reporter/reporter_agent.py").read_text()
    assert all(f'"{name.removeprefix("ray_")}": Gauge(' in exported for name in RAYS)


def test_a_search_is_chosen_wherever_a_metric_has_one() -> None:
    (variable,) = BOARD["templating"]["list"]
    assert (variable["name"], metrics(variable["query"]["query"])) == ("search", {"ray_hpsearch_trials"})
    for query in dashboard_queries():
        if metrics(query) <= OURS:
            assert 'search=~"$search"' in query, query


def test_what_counts_up_is_shown_as_a_rate_and_what_each_node_reports_as_one_curve() -> None:
    for query in dashboard_queries():
        (name,) = metrics(query)
        assert name.endswith("_total") == ("rate(" in query), query
        assert re.match(r"(60 \* )?(sum|max)\b", query), query


@PANELS
def test_a_panel_says_what_it_shows_in_which_unit_and_where_its_data_are(panel: dict[str, Any]) -> None:
    (source,) = read(GRAFANA / "datasources" / "prometheus.yaml")["datasources"]
    assert panel["title"] and panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert all(target["legendFormat"] for target in panel["targets"])


def test_panels_have_numbers_and_places_of_their_own() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for one, other in combinations([panel["gridPos"] for panel in BOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in BOARD["panels"]) == 24


# ---- Prometheus


def test_prometheus_looks_where_ray_is_told_to_export() -> None:
    (job,) = read(FOLDER / "prometheus.yaml")["scrape_configs"]
    (names,) = job["dns_sd_configs"]
    assert set(names["names"]) == set(BASE["services"])
    for service in BASE["services"].values():
        assert f"--metrics-export-port={names['port']}" in service["command"]


def test_without_containers_prometheus_reads_the_file_that_ray_writes() -> None:
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    (job,) = read(FOLDER / "local.yaml")["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == [f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"]


@pytest.mark.parametrize("file", ["prometheus.yaml", "local.yaml"])
def test_grafana_knows_how_often_prometheus_looks(file: str) -> None:
    (source,) = read(GRAFANA / "datasources" / "prometheus.yaml")["datasources"]
    assert read(FOLDER / file)["global"]["scrape_interval"] == source["jsonData"]["timeInterval"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_prometheus_takes_its_files() -> None:
    files = [FOLDER / name for name in ("prometheus.yaml", "local.yaml")]
    done = subprocess.run(["promtool", "check", "config", *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("SUCCESS")) == (0, 2), done.stderr


# ---- the containers


def test_only_grafana_is_published_and_only_on_loopback() -> None:
    ports = {name: service.get("ports") for name, service in METRICS["services"].items()}
    assert ports == {"prometheus": None, "grafana": ["127.0.0.1:3000:3000"]}
    services = merged(BASE, METRICS)["services"]
    assert services == BASE["services"] | METRICS["services"], "head and workers are as without them"
    (source,) = read(GRAFANA / "datasources" / "prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_grafanas_password_is_a_file_of_the_user_and_nobody_gets_in_without() -> None:
    grafana = METRICS["services"]["grafana"]
    assert grafana["secrets"] == ["grafana_password"]
    assert METRICS["secrets"] == {"grafana_password": {"file": "/home/me/.ray/grafana_password"}}
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert grafana["user"] == str(BASE["services"]["head"]["build"]["args"]["UID"])
    named = {name for name in grafana["environment"] if re.search("PASSWORD|ANONYMOUS|TOKEN", name)}
    assert named == {"GF_SECURITY_ADMIN_PASSWORD__FILE"}


@SERVICES
def test_a_container_is_confined_bounded_and_watched(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0 and re.fullmatch(r"[1-9]\d*[gm]", limits["memory"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


@SERVICES
def test_what_a_container_is_given_is_there_and_stays_as_it_is(service: dict[str, Any]) -> None:
    given = [mount.split(":") for mount in service["volumes"] if mount.startswith(".")]
    assert given
    for source, _, mode in given:
        assert (DOCKER / source).exists() and mode == "ro"
