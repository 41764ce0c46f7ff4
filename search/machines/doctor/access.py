"""Checks of every Ray that runs here, who can connect to it, and every machine of a cluster."""

from search.machines import ray_processes, slots
from search.machines.row import Row, count, size_of


def rays() -> list[Row]:
    """Every Ray that runs here, and who can connect to its ports."""
    running = ray_processes.find()
    if not running:
        return [Row("Ray here", "none runs; a launch without --address starts its own")]
    heads = [process for process in running if process.is_head]
    named = ", ".join(str(port.number) for head in heads for port in ray_processes.ports([head])) or "unknown"
    found = f"{count(len(heads), 'cluster')} with the head here (port {named})" if heads else "a node"
    rows = [Row("Ray here", f"{found}; {len(running)} of its processes")]
    beyond = [str(port.number) for port in ray_processes.ports(running) if port.beyond_loopback]
    if not beyond:
        return [*rows, Row("network access", "its ports are on loopback")]
    shown = f"{len(beyond)} ports beyond loopback ({', '.join(beyond[:6])}{', …' * (len(beyond) > 6)})"
    asks = {process.asks_for_token for process in running if process.is_head or process.program.endswith("/raylet")}
    if False in asks:
        advice = "whoever reaches them runs code here: start Ray with RAY_AUTH_MODE=token"
        return [*rows, Row("network access", f"{shown}, without a token", "problem", advice)]
    if None in asks:
        advice = "see that it was started with RAY_AUTH_MODE=token"
        return [*rows, Row("network access", f"{shown}, of another user", "warning", advice)]
    return [*rows, Row("network access", f"{shown}, open to whoever has the token")]


def machines(address: str) -> list[Row]:
    """The cluster's nodes, what each offers, and what it lacks."""
    from search.machines import cluster, nodes  # imported late, as they bring Ray

    try:
        cluster.connect(address)
    except cluster.ClusterError as error:
        return [Row("cluster", address, "problem", str(error))]
    try:
        members = nodes.find()
    finally:
        cluster.disconnect()
    rows = [
        Row("cluster", f"{address}: {count(len(members), 'node')}, {count(sum(node.cpus for node in members), 'core')}")
    ]
    for node in members:
        gpus = f", {count(node.gpus, 'GPU')} ({', '.join(dict.fromkeys(node.gpu_names))})" if node.gpus else ""
        disk = "" if node.free_disk is None else f", {size_of(node.free_disk)} of disk"
        place = f"{node.address}{' (this one)' * node.is_driver}"
        found = f"{place}: {count(node.cpus, 'core')}{gpus}, {size_of(node.memory)}{disk}"
        versions = "".join(f", {name} {version or 'missing'}" for name, version in node.versions.items())
        trouble = nodes.trouble(node)
        remedy = "install this machine's versions there" if node.versions else "see Ray's log there"
        advice = f"{trouble}: {remedy}" if trouble else ""
        rows.append(Row(f"node {node.host}", f"{found}{versions}", "problem" if trouble else "ok", advice))
    precisions = {node.precision for node in slots.that_train(members) if node.precision}
    if len(precisions) > 1:
        rows.append(Row("precision", f"{' and '.join(sorted(precisions))}", "ok", "all train in float32"))
    return rows
