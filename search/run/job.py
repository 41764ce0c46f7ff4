"""A search as a Ray job: it runs on the cluster's head, even if the machine that sent it is switched off."""

import http.client
import json
import logging
import os
import re
import shlex
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from architectures.errors import one_line
from search.history.store import Request
from search.machines import own_modules, tokens
from search.machines.cluster import ClusterError
from search.spaces import find_space
from trainables.data.known import DATASETS
from trainables.files import is_uri

# isort: split
from ray.job_submission import JobStatus, JobSubmissionClient

ANSWER_SECONDS = 10  # for the dashboard's first answer
BEGIN_SECONDS = 120  # for the search to begin; after that `submit` returns
_LOOK_SECONDS = 0.5


def submit(
    url: str,
    words: list[str],
    request: Request,
    name: str,
    *,
    storage: str | None,
    results: Path,
    say: Callable[[str], object] = print,
) -> str:
    """Send a search to the cluster whose dashboard is at `url`, and return the job's id once it has begun.

    words: more options of `launch`. results: a folder on the head, below the home folder there unless it is absolute.
    say: gets the lines for the user. The user's own modules and lists of configurations in the working folder are sent
    with the search; its dataset is not. Raises ClusterError when there is no dashboard, when it refuses, and when the
    job ends before the search began.
    """
    location = _checked(request, storage)
    job_id = f"hpsearch-{name}"
    open_to_all = _ask(url)
    runtime_env, space = _travelling(request.space)
    folder = results if results.is_absolute() or str(results).startswith("~") else Path("~") / results
    options = ["--space", space, *words, "--name", name, "--results", str(folder)]
    command = shlex.join(["hpsearch", "launch", *options, "--storage", location, "--address", "auto"])
    client = _client(url)
    try:
        client.submit_job(
            entrypoint=f"RAY_AUTH_MODE=disabled {command}" if open_to_all else command,
            submission_id=job_id,
            runtime_env=runtime_env,
            metadata={"hpsearch": version("hpsearch")},
        )
        _wait(client, job_id, name, say)
    except (RuntimeError, OSError) as error:  # also what requests raises
        if "already exists" in str(error):
            raise ClusterError(
                f"the search '{name}' was sent to {url} before: hpsearch status {name} --storage {storage} shows it; "
                "choose another --name for a new one"
            ) from error
        raise ClusterError(f"{url} rejects the job: {_last_line(str(error))}") from error
    say(f"job {job_id} runs on the head, with its record in {folder / name} there; come back with")
    say(f"  {shlex.join(['hpsearch', 'status', name, '--storage', location])}")
    say(f"  {shlex.join(['ray', 'job', 'logs', job_id, '--address', url, '--follow'])}")
    return job_id


def _checked(request: Request, storage: str | None) -> str:
    """The place of the record's copy; raises ClusterError for a request that the head cannot serve."""
    if storage is None:
        raise ClusterError(
            "--submit needs --storage, a shared folder or an object store: without it nobody can read the record "
            "once the head is gone"
        )
    if not is_uri(storage) and not Path(storage).is_absolute():
        raise ClusterError(f"with --submit --storage is a URI, or a folder that all share, /a/path; got '{storage}'")
    if is_uri(storage) and "@" in urlsplit(storage).netloc:
        raise ClusterError(
            "a job's command is shown to all who see the cluster, so --storage must not hold credentials: set them in "
            "the head's environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://)"
        )
    if request.dataset not in DATASETS and not request.dataset.startswith(("/", "~")):
        raise ClusterError(
            f"with --submit a dataset is one of {', '.join(DATASETS)} or a folder or file on the head, /a/path; "
            f"got '{request.dataset}'"
        )
    return storage


def _ask(url: str) -> bool:
    """Whether the dashboard needs no token; raises ClusterError when it does not answer, and when it refuses."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port and parts.path in ("", "/")
    except ValueError:  # the port is not a number
        fits = False
    if not fits:
        raise ClusterError(f"--submit is the address of a cluster's dashboard, http://HEAD:8265; got '{url}'")
    status, body = _get(parts, {})
    open_to_all = status == 200
    if status in (401, 403):
        if tokens.token() is None:
            raise ClusterError(f"{url} asks for a token, and there is none here: {tokens.REMEDY}")
        status, body = _get(parts, tokens.header())
        if status in (401, 403):
            raise ClusterError(
                f"{url} has a different token from this machine's, which is {tokens.place()}: {tokens.REMEDY}"
            )
    try:
        theirs = json.loads(body)["ray_version"]
    except (ValueError, TypeError, KeyError):
        raise ClusterError(
            f"{url} is not a Ray dashboard (GET /api/version answers {status}): give http://HEAD:8265, or the port "
            "that ray start --head names"
        ) from None
    if theirs != version("ray"):
        raise ClusterError(f"{url} runs Ray {theirs}, and this machine has Ray {version('ray')}: install the same here")
    if open_to_all:
        warnings.warn(f"{url} asks for no token: whoever reaches it may run code on its machines", stacklevel=3)
    return open_to_all


def _get(parts: SplitResult, header: dict[str, str]) -> tuple[int, bytes]:
    """Status and body of a request for the version. A redirect is not followed: it could send the token elsewhere."""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/api/version", headers=header)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        reason = one_line(error)
        raise ClusterError(
            f"no dashboard answers at {parts.geturl()} ({reason}): it is on the head, on port 8265 by default, and on "
            "loopback there unless ray start was given --dashboard-host"
        ) from error
    finally:
        connection.close()


def _travelling(space: str) -> tuple[dict[str, Any], str]:
    """The runtime environment with the files of this folder that a space needs, and the name of the space there."""
    found, here = find_space(space), Path.cwd()
    files = own_modules.find([space, *(config.network.name for config in found.configs)], here)
    if found.configs:
        files[Path(space)] = Path(Path(space).name)
        space = Path(space).name
    return own_modules.stage(files) if files else {}, space


def _client(url: str) -> JobSubmissionClient:
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):  # Ray prefers these to its argument
        os.environ.pop(variable, None)
    for module in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(module).setLevel(logging.ERROR)  # they report uploads
    try:
        return JobSubmissionClient(url)
    except (RuntimeError, OSError) as error:
        raise ClusterError(f"cannot connect to {url}: {_last_line(str(error))}") from error


def _wait(client: JobSubmissionClient, job_id: str, name: str, say: Callable[[str], object]) -> None:
    """Wait until the search says that it begins; raises ClusterError when its job ends before that."""
    deadline = time.monotonic() + BEGIN_SECONDS
    while time.monotonic() < deadline:
        status, log = client.get_job_status(job_id), client.get_job_logs(job_id)
        if re.search(rf"^{re.escape(name)}: ", log, re.MULTILINE) or status == JobStatus.SUCCEEDED:
            return
        if status in (JobStatus.FAILED, JobStatus.STOPPED):
            raise ClusterError(f"the search has ended on the head before it began: {_last_word(client, job_id, log)}")
        time.sleep(_LOOK_SECONDS)
    say(f"the search has not begun after {BEGIN_SECONDS} s; its job is waiting or preparing")


def _last_word(client: JobSubmissionClient, job_id: str, log: str) -> str:
    """Why a job failed: the last line of the search, or Ray's reason when the search did not start."""
    said = log.partition(f"entrypoint for job {job_id}")[2].strip().splitlines()[1:]
    if not said:
        return _last_line(client.get_job_info(job_id).message or "it gives no reason")
    if said[-1].endswith("hpsearch: not found"):
        return "the head has no command hpsearch: install it there, on the PATH with which Ray was started"
    return said[-1].removeprefix("hpsearch: ")


def _last_line(text: str) -> str:
    """The last line of an error, which names it; Ray sends whole tracebacks."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    return lines[-1][:300] if lines else "it gives no reason"
