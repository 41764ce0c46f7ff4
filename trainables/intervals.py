"""The confidence interval of a counted share."""

from math import sqrt

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share `correct / total` (Wilson 1927), which also holds at 0, at 1 and for few images.

    Raises ValueError for counts that are not 0 <= correct <= total, total >= 1.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"needs 0 <= correct <= total and total >= 1, got {correct} of {total}")
    return wilson_of(correct / total, total)


def wilson_of(share: float, total: float) -> tuple[float, float]:
    """The same for a share of a number of images that may be fractional."""
    z = Z95
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At 0 and 1 rounding could leave the share outside the interval.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
