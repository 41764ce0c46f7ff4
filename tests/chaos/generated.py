"""Bad input that hypothesis makes up: each kind a function that holds for every example, run in one process.

    python tests/chaos/generated.py ledgers --seed 1 --examples 300

Runs in a folder that bad_input.py has prepared. Prints what came of the examples; an exception is a broken promise.
"""

import argparse
from collections.abc import Callable

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from kinds import command_line, datasets, networks, records
from kinds.holding import HERE, Kind, outcomes

KINDS: dict[str, Callable[[], Kind]] = {
    "options": command_line.options,
    "settings": command_line.settings_of_networks,
    "lists": command_line.lists,
    "configurations": command_line.configurations,
    "requests": records.requests,
    "ledgers": records.ledgers,
    "events": records.events,
    "parquet": datasets.parquet,
    "tables": datasets.tables,
    "images": datasets.images,
    "caches": datasets.caches,
    "checkpoints": networks.checkpoints,
    "networks": networks.networks,
    "predictions": networks.predictions,
}


def main() -> None:
    """Run one kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=300)
    options = parser.parse_args()
    HERE.mkdir()
    hypothesis.configuration.set_hypothesis_home_dir(HERE)
    strategy, test = KINDS[options.kind]()
    run = given(strategy)(test)
    run = settings(
        max_examples=options.examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(run)
    hypothesis.seed(options.seed)(run)()
    shown = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
    print(f"{sum(outcomes.values())} examples of seed {options.seed}: {shown}")


if __name__ == "__main__":
    main()
