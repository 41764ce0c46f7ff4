"""The bytes that a configuration needs: in memory while it trains, and in its checkpoint."""

from architectures.cost import Cost
from trainables.batches import EVALUATION_BATCH, at_once
from trainables.config import Config
from trainables.optimizers import OPTIMIZERS

_FLOAT_BYTES = 4


def memory_of(config: Config, cost: Cost) -> int:
    """Bytes that a trial needs beside torch itself: weights, gradients, optimizer and a batch's activations.

    The batch is one of training or of validation, whichever takes more.
    """
    trained = 2 * config.training.batch_size * cost.activation_bytes  # twice: activations have gradients too
    validated = at_once(EVALUATION_BATCH, cost.pixels) * cost.passing_bytes
    gradients = _FLOAT_BYTES * (cost.parameters - cost.frozen)
    return state_bytes(config, cost) + gradients + max(trained, validated)


def state_bytes(config: Config, cost: Cost) -> int:
    """Bytes of a trial's checkpoint: the weights, their average and the best of them, and the optimizer's state."""
    training = config.training
    copies = 1 + (training.ema is not None) + (training.patience is not None)
    optimizers = OPTIMIZERS[config.optimizer.name].state_tensors * (cost.parameters - cost.frozen)
    return _FLOAT_BYTES * (copies * cost.parameters + optimizers)
