"""The test pass: the only place where a network is measured on the test set."""

from architectures.errors import one_line
from search.history.events import Ended, State, Tested, Testing
from search.history.record import Run
from search.history.store import Search, retrain_folder
from search.machines.machine import Machine
from search.run.driver import Driver
from search.run.images import part_images
from search.run.progress import Progress
from trainables.data.images import fingerprint


def test_all(
    driver: Driver, search: Search, runs: list[Run], here: Machine, progress: Progress, *, flips: bool = False
) -> None:
    """Test once each trained network that has not been tested in this way, or whose predictions are gone or damaged.

    A pass is recorded before it begins, so a pass that a kill interrupts counts, and so does the one after it.
    """
    waiting = untested(search, runs, flips=flips)
    if not waiting:
        return
    import torch  # imported late, as a session that tests nothing does not need it

    from trainables.resident import IMAGES_SHARE, Resident
    from trainables.saved_network import NetworkError, load_network, test_pass

    test = part_images(search.request, "test")
    torch.set_num_threads(here.threads * max(1, here.slots))  # a cluster may have begun without slots
    device = here.device if torch.cuda.is_available() else "cpu"  # the GPUs of a cluster may be elsewhere
    room = None if device == "cpu" else IMAGES_SHARE * torch.cuda.get_device_properties(0).total_memory
    resident, digest = Resident.of(test, device, room=room), fingerprint(test)
    earlier = {(t.images, t.fingerprint or digest) for each in driver.record.runs.values() if (t := each.test)}
    if earlier - {(len(test), digest)}:
        progress.say(
            f"the test images of {search.request.dataset} are not those of earlier tests of this search: accuracies on "
            "them cannot be compared directly"
        )
    for each in waiting:
        if driver.superseded:  # the record that counts is elsewhere, and would not show this pass
            return
        progress.say(f"testing {each.key[0]}-{each.key[1]} on {len(test):,} test images")
        folder, (trial, repeat) = retrain_folder(search.folder, each), each.key
        try:
            network = load_network(folder, device, run_own_code=True)
        except (NetworkError, FileNotFoundError) as error:  # damaged since it was written: it has to be trained again
            reason = one_line(error)
            driver.append(Ended(trial=trial, repeat=repeat, attempt=each.attempt, state=State.FAILED, reason=reason))
            continue
        driver.append(Testing(trial=trial, repeat=repeat))
        correct, balanced = test_pass(network, folder, resident, here.precision, flips=flips)
        driver.append(
            Tested(
                trial=trial,
                repeat=repeat,
                correct=correct,
                balanced_accuracy=balanced,
                images=len(test),
                fingerprint=digest,
                flips=flips or None,
            )
        )


def untested(search: Search, runs: list[Run], *, flips: bool) -> list[Run]:
    """The trained networks that have not been tested in this way, or whose predictions are gone or damaged."""
    return [
        run
        for run in runs
        if run.retrained and (run.test is None or bool(run.test.flips) != flips or not _has_predictions(search, run))
    ]


def _has_predictions(search: Search, run: Run) -> bool:
    """Whether the predictions of a tested network can be read."""
    from trainables.predictions import PredictionsError, read_predictions  # imported late, as it brings Arrow

    try:
        read_predictions(retrain_folder(search.folder, run))
    except PredictionsError:
        return False
    return True
