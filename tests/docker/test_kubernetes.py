"""The manifest: every object is one that its API knows, and its pods are confined, bounded, watched and closed.

A RayJob's schema is KubeRay's and a megabyte of third-party text, nearly all of it the pod's, which is Kubernetes' own.
So the pods are validated strictly as PodTemplates, and of KubeRay's fields those are listed that the manifest may use,
as KubeRay 1.6 declares them (ray-operator/apis/ray/v1): one that is misspelt or new fails.
"""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.docker.repository import DOCKER, IMAGE, PINNED

RAYJOB = {
    "entrypoint": str,
    "backoffLimit": int,
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "submitterPodTemplate": dict,
    "rayClusterSpec": dict,
}
RAYCLUSTER = {"rayVersion": str, "authOptions": dict, "headGroupSpec": dict, "workerGroupSpecs": list}
AUTH = {"mode": str, "secretName": str}
HEAD = {"serviceType": str, "rayStartParams": dict, "template": dict}
WORKERS = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": dict,
}

TEXT = (DOCKER / "kubernetes" / "search.yaml").read_text()
OBJECTS = {found["kind"]: found for found in yaml.safe_load_all(TEXT)}
JOB = OBJECTS["RayJob"]["spec"]
CLUSTER = JOB["rayClusterSpec"]
RAY = {"head": CLUSTER["headGroupSpec"]["template"]} | {
    group["groupName"]: group["template"] for group in CLUSTER["workerGroupSpecs"]
}
PODS = {"submitter": JOB["submitterPodTemplate"]} | RAY
KUBERNETES = pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])


def check(given: dict[str, Any], known: dict[str, type]) -> None:
    assert given.keys() <= known.keys()
    assert {name: type(value) for name, value in given.items()} == {name: known[name] for name in given}


def test_it_holds_a_search_its_storage_and_who_may_speak_to_it_and_nothing_that_lets_others_in() -> None:
    assert list(OBJECTS) == ["PersistentVolumeClaim", "NetworkPolicy", "RayJob"]
    assert CLUSTER["headGroupSpec"]["serviceType"] == "ClusterIP"


@KUBERNETES
@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "NetworkPolicy"])
def test_kubernetes_knows_its_objects(kind: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


@KUBERNETES
@pytest.mark.parametrize("name", PODS)
def test_kubernetes_knows_its_pods(name: str, version: str) -> None:
    pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": PODS[name]}
    kubernetes_validate.validate(pod, version, strict=True)
    pod["template"] = PODS[name] | {"specification": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, version, strict=True)


def test_kuberay_knows_its_fields() -> None:
    assert OBJECTS["RayJob"]["apiVersion"] == "ray.io/v1"
    check(JOB, RAYJOB)
    check(CLUSTER, RAYCLUSTER)
    check(CLUSTER["authOptions"], AUTH)
    check(CLUSTER["headGroupSpec"], HEAD)
    for group in CLUSTER["workerGroupSpecs"]:
        check(group, WORKERS)
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_token_comes_from_a_secret_that_is_not_in_the_file() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token", "secretName": "hpsearch-token"}
    assert "kubectl create secret generic hpsearch-token --from-file=auth_token=" in TEXT
    assert not any("env" in container for pod in PODS.values() for container in pod["spec"]["containers"])


def test_ray_and_the_image_are_of_one_version_everywhere() -> None:
    assert CLUSTER["rayVersion"] == PINNED["ray"]
    images = {container["image"] for pod in PODS.values() for container in pod["spec"]["containers"]}
    assert len(images) == 1
    assert IMAGE.fullmatch(*images)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_confined(name: str) -> None:
    spec = PODS[name]["spec"]
    user = spec["securityContext"]
    assert user["runAsNonRoot"] is True
    assert user["runAsUser"] == user["runAsGroup"] == user["fsGroup"] == 1000
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container.get("ports", ()))
    assert not any("hostPath" in volume for volume in spec["volumes"])


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_bounded(name: str) -> None:
    for container in PODS[name]["spec"]["containers"]:
        for amounts in (container["resources"]["requests"], container["resources"]["limits"]):
            assert amounts.keys() == {"cpu", "memory"}
    assert all("sizeLimit" in volume["emptyDir"] for volume in PODS[name]["spec"]["volumes"] if "emptyDir" in volume)


@pytest.mark.parametrize("name", RAY)
def test_a_node_of_ray_is_watched(name: str) -> None:
    (container,) = RAY[name]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/api/healthz", "port": 52365}


@pytest.mark.parametrize("name", RAY)
def test_all_nodes_share_the_claim(name: str) -> None:
    spec = RAY[name]["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in spec["containers"][0]["volumeMounts"]}
    claim = OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
    assert mounts["/storage"]["persistentVolumeClaim"] == {"claimName": claim}
    assert "emptyDir" in mounts["/tmp"]


def test_only_the_pods_of_the_search_reach_more_than_the_dashboard() -> None:
    policy = OBJECTS["NetworkPolicy"]["spec"]
    labels = policy["podSelector"]["matchLabels"]
    assert all(pod["metadata"]["labels"] == labels for pod in PODS.values())
    assert policy["ingress"] == [
        {"from": [{"podSelector": {"matchLabels": labels}}]},
        {"ports": [{"port": 8265}]},
    ]
