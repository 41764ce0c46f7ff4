"""What the files in docker/ must agree with: versions, and the tools that check them."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PYPROJECT["project"]["version"]
PINNED = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines())

#: An image's tag that names a version down to its last number.
IMAGE = re.compile(r"[a-z0-9./-]+:(\d+\.\d+\.\d+)(-[a-z0-9-]+)?")


def tool(name: str, *words: str) -> str:
    """What a checker installed beside this Python has found; empty where it has nothing to say."""
    done = subprocess.run([Path(sys.executable).with_name(name), *words], capture_output=True, text=True, cwd=ROOT)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def dashboard_queries() -> list[str]:
    """What the panels of Grafana's dashboard ask Prometheus for."""
    board = json.loads((DOCKER / "metrics" / "grafana" / "dashboards" / "search.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]
