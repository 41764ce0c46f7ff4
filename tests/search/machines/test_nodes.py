"""What the nodes of a cluster must have, and the machine that they make together."""

import pytest

from search.machines import host, nodes
from search.machines.cluster import ClusterError
from search.machines.machine import MachineError, of_cluster, slots_per_gpu
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


GB = 10**9
GPUS = {"cpus": 16, "gpus": 2, "gpu_memory": (80 * GB, 80 * GB), "precision": "bfloat16"}


@pytest.mark.parametrize(
    ("members", "threads", "sharers"),
    [
        ([GPUS], 1, 8),
        ([GPUS | {"gpu_memory": (80 * GB, 12 * GB)}], 1, 6),  # of the smaller GPU's memory
        ([GPUS | {"cpus": 6}], 1, 3),  # of the cores
        ([GPUS | {"cpus": 6}], 4, 1),
        ([GPUS, {"cpus": 16, "gpus": 1, "gpu_memory": (8 * GB,)}], 1, 4),  # Ray has one part for all GPUs
        ([GPUS | {"cpus": 0, "cores": 12}], 1, 6),  # Ray offers its GPUs alone
        ([GPUS | {"gpu_memory": ()}], 1, 8),  # unknown
        ([GPUS | {"total_memory": 8 * 2**30}], 1, 3),  # of the main memory
        ([GPUS | {"total_memory": 2 * 2**30}], 1, 1),
        ([GPUS, {"cpus": 2}], 1, 8),  # without a GPU it trains nothing
    ],
)
def test_gpus_are_shared_as_on_one_machine_and_alike(members, threads, sharers):
    here = of_cluster("head:6379", [machine(**each) for each in members], None, {"threads": threads})
    assert (slots_per_gpu(here), here.slots, here.device) == (sharers, sharers * here.num_gpus, "cuda")


@pytest.mark.parametrize(
    ("memory", "parallel", "slots"),
    [
        (80 * GB, 6, 6),
        (12 * GB, 16, 16),  # each has less than by default, as asked
        (80 * GB, 99, 16),
        (5 * GB, 16, 10),  # more contexts do not fit
    ],
)
def test_as_many_share_gpus_as_are_asked_for_if_they_can_start(memory, parallel, slots):
    nodes = [machine(cpus=2, gpus=2, gpu_memory=(memory, memory))]
    here = of_cluster("head:6379", nodes, parallel, None)
    assert (here.slots, here.limit, here.room) == (slots, parallel, 2)


def test_a_node_with_little_memory_trains_fewer_than_it_has_cores():
    little = machine(cpus=8, total_memory=4 * 2**30, memory=3 * 2**30)
    here = of_cluster("head:6379", [little, machine(cpus=8, total_memory=2**36, memory=2**35)], None, None)
    assert (here.slots, here.memory) == (3 + 8, 2**30)
    asked = of_cluster("head:6379", [little], 6, None)
    assert (asked.slots, asked.room, asked.memory) == (6, 3, 0), "what is asked for is given"
    tiny = of_cluster("head:6379", [machine(total_memory=2**20, memory=2**19)], None, None)
    assert (tiny.slots, tiny.memory) == (1, 2**19)
    enough = of_cluster("head:6379", [machine(cpus=8, total_memory=2**36, memory=2**35)], None, None)
    assert (enough.slots, enough.memory) == (8, 0)


LITTLE = {"cpus": 8, "total_memory": 4 * 2**30, "memory": int(2.8 * 2**30)}  # room for three
TINY = {"cpus": 8, "total_memory": 2**30, "memory": 2**29}  # for none
WIDE = {"cpus": 8, "total_memory": 2**36, "memory": 2**31}  # for more than its cores, of which Ray offers little


@pytest.mark.parametrize(
    ("members", "slots"),
    [
        ([LITTLE, TINY], 3),
        ([TINY, {**WIDE, "memory": 2**35}], 1 + 8),
        ([LITTLE, WIDE], 3 + 2),
        ([LITTLE, {**LITTLE, "memory": 2**30}], 3 + 1),  # Ray offers the second less
        ([LITTLE, {**TINY, "total_memory": 2 * 2**30, "memory": int(1.4 * 2**30)}], 3 + 1),
    ],
)
def test_no_node_gets_more_than_its_memory_has_room_for_and_the_slots_are_those_that_ray_gives(members, slots):
    here = of_cluster("head:6379", [machine(**each) for each in members], None, None)
    given = [min(each["cpus"], each["memory"] // here.memory) for each in members]
    assert here.slots == sum(given) == slots
    for each, number in zip(members, given, strict=True):
        assert number <= max(1, host.slots_in(each["total_memory"]))


@pytest.mark.parametrize(
    "beside",
    [
        {"precision": "float32", "cpus": 4},
        {"precision": "float32", "cpus": 0},
        {"precision": None, "cpus": 0, "reason": "it cannot run tasks"},
    ],
)
def test_nodes_that_train_nothing_do_not_decide_the_precision(beside):
    with_gpu = machine(**GPUS)
    assert of_cluster("head:6379", [machine(**beside), with_gpu], None, None).precision == "bfloat16"
    if not beside["cpus"]:
        of_cores = machine(precision="bfloat16")
        assert of_cluster("head:6379", [machine(**beside), of_cores], None, None).precision == "bfloat16"


def test_a_cluster_whose_machines_may_be_of_any_kind_trains_in_float32():
    assert of_cluster("head:6379", [machine(cpus=0, precision="bfloat16")], None, None).precision == "float32"


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
