"""What the nodes of a cluster must have, and the machine that they make together."""

import pytest

from search.machines import nodes
from search.machines.cluster import ClusterError
from search.machines.machine import MachineError, of_cluster
from search.machines.nodes import Node


def machine(**changed):
    ours = nodes.wanted()
    facts = {"id": "a", "host": "node-a", "address": "10.0.0.2", "is_driver": False, "cpus": 4, "gpus": 0, "memory": 1}
    facts["precision"] = "float32"
    return Node(**facts | {"versions": ours | {"python": f"{ours['python']}.99", "ray": "2.60.0"}} | changed)


def test_a_search_of_more_threads_than_any_node_has_cores_is_refused():
    with pytest.raises(MachineError, match=r"takes 8 threads.* no machine of head:6379 offers more than 4 cores"):
        of_cluster("head:6379", [machine(), machine(cpus=2)], None, {"threads": 8})
    assert of_cluster("head:6379", [], None, {"threads": 8}).slots == 0, "machines may join"


@pytest.mark.parametrize(
    ("precisions", "facts", "chosen"),
    [
        (("bfloat16", "bfloat16"), {}, "bfloat16"),
        (("bfloat16", "float32"), {}, "float32"),  # what all do well
        (("bfloat16", "float32"), {"precision": "bfloat16"}, "bfloat16"),  # as it began
        (("bfloat16", "bfloat16"), {"precision": "float32"}, "float32"),
    ],
)
def test_unlike_machines_have_one_precision_and_a_search_keeps_its_own(precisions, facts, chosen):
    unlike = [machine(precision=each) for each in precisions]
    assert of_cluster("head:6379", unlike, None, facts).precision == chosen


def test_the_same_versions_are_fine_and_a_node_without_a_slot_may_have_others():
    nodes.check([machine(), machine(cpus=0, reason="no hpsearch there")])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hpsearch": "0.0.9"}, "hpsearch is 0.0.9"),
        ({"hpsearch": None}, "hpsearch is missing"),
        ({"torch": "1.0"}, "torch is 1.0"),
        ({"python": "3.8.1"}, "python is 3.8"),
    ],
)
def test_other_versions_are_named_with_their_node(changed, said):
    bad = machine(versions={**machine().versions, **changed})
    with pytest.raises(ClusterError, match=rf"every machine .* hpsearch .* torch .*node-a \(10.0.0.2\): {said}$"):
        nodes.check([machine(), bad])


def test_a_node_that_does_not_answer_is_named_with_its_reason():
    with pytest.raises(ClusterError, match=r"node-a \(10.0.0.2\): it has not answered within 60 s$"):
        nodes.check([machine(versions={}, reason="it has not answered within 60 s")])
