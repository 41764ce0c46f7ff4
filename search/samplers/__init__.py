"""Who draws configurations from a space: one file a sampler, whose names are known without importing Optuna."""

#: The samplers of spaces that are functions. Each is the module of its name here, which has a function
#: `sampler(function, seed, check)` that returns a `search.samplers.sampler.Sampler` (see `search.samplers.make`).
SAMPLERS = ("random", "tpe")
