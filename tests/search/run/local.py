"""A search in one process: the real driver, ledger, sampler and worker, without Ray between them."""

from search.history import store
from search.history.ledger import Ledger
from search.history.record import FINAL, Record
from search.run import launch
from search.run.driver import Driver, fill_rungs
from search.samplers.make import make_sampler
from search.schedulers.asha import make_scheduler
from search.spaces import Space
from trainables.data.load import load
from trainables.data.split import split
from trainables.worker.actor import Place, Worker


class KilledError(Exception):
    """Stands for a SIGKILL of the driver: nothing after it is written."""


def make_images(data_dir, size=120):
    images = load("digits", "train", data_dir=data_dir)
    return images.take(range(0, size))


class LocalWorker(Worker):
    """The worker with its data given, as Ray would give them."""

    def setup(self, config):
        super().setup(config["run"], **config["parts"])


def run(
    folder,
    function,
    images,
    *,
    samples=6,
    epochs=4,
    seed=0,
    kill_after=None,
    deadline=None,
    observe=None,
):
    """Run or resume a search one trial at a time; `kill_after` events of this session, raise KilledError."""
    learn, validate = split(images.labels, 0.25, seed)
    request = store.Request(space="test", samples=samples, epochs=epochs, data_dir="", seed=seed)
    draws = make_sampler(Space("test", function), "random", seed, launch.checker(images))
    judge = make_scheduler("asha", epochs)
    folder.mkdir(exist_ok=True)
    with Ledger(folder / "ledger.jsonl") as ledger:
        fill_rungs(judge, Record(ledger.events).trials)
        written = 0

        def listen(event):
            nonlocal written
            written += 1
            if observe:
                observe(event)
            if event.get("state") in FINAL:
                draws.tell(driver.record.runs[event["trial"], 0])
            if written == kill_after:
                raise KilledError

        source = launch.search_source(draws, images, request, range(samples))
        driver = Driver(ledger, folder, source, judge, listen=listen, deadline=deadline)
        driver.append("opened", samples=samples)
        worker = None
        while (task := driver.next_task()) is not None:
            driver.started(task)
            config = {"task": vars(task)}
            if worker is None:
                parts = {"train": images.take(learn), "validation": images.take(validate)}
                parts |= {"threads": 1, "device": "cpu", "precision": "float32", "place": Place(driver.checkpoints)}
                worker = LocalWorker({"run": config, "parts": parts})
            else:
                worker.reset_config(config)
            worker._checkpoint_is_due = lambda _training, _seconds: True
            while driver.measured(task, worker.step()):
                pass
        driver.append("closed", reason="finished")
        return driver.record
