"""Transforms that a configuration may add to its augmentation preset, one file each.

The steps of the presets are drawn and computed together (see `trainables.augment`). A transform here comes after them,
one batch at a time, with its own random stream, which derives from the epoch's seed and the transform's name: adding
one changes no curve of a configuration without it. Its strength is the field with its name in a configuration's
`training`, absent if it is off. Nothing here needs torch until a transform is applied.
"""

from trainables.transforms.channel_shift import CHANNEL_SHIFT
from trainables.transforms.cutmix import CUTMIX
from trainables.transforms.cutout import CUTOUT
from trainables.transforms.mixup import MIXUP
from trainables.transforms.moves import SHEAR, VERTICAL_FLIP, ZOOM
from trainables.transforms.transform import Transform
from trainables.transforms.trivial import TRIVIAL

#: All transforms by name, in the order in which they are applied.
TRANSFORMS: dict[str, Transform] = {
    each.name: each for each in (VERTICAL_FLIP, SHEAR, ZOOM, CHANNEL_SHIFT, TRIVIAL, CUTOUT, MIXUP, CUTMIX)
}
