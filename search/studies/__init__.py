"""Studies: the questions of the five reports, and a user's own, as presets of a launch."""

from importlib import import_module

from search.studies.find import find_study, is_study
from search.studies.study import STUDIES, Study, StudyError

__all__ = ["STUDIES", "Study", "StudyError", "find_study", "is_study"]

# The modules of the built-in studies, in the order in which they are listed; importing one registers its studies.
for _module in ("report1", "report2", "report3", "report4", "report5"):
    import_module(f"search.studies.{_module}")
