"""The commands that train, called from Python: the same options as on the command line, checked by the same rules."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from search.cli.launching import launch, resume
from search.cli.options import find_own_code
from search.cli.retraining import retrain
from search.cli.sessions import Call
from search.cli.types import OptionError
from search.history.load import Loaded, read_search

VERBS: dict[str, click.Command] = {"launch": launch, "resume": resume, "retrain": retrain}


def call(verb: str, search: str | None = None, **words: Any) -> Loaded:
    """Run a command with its options as keywords, and load the search that it worked on.

    Of a study of several datasets it is the last one's. What the command prints is printed. Raises TypeError for an
    option that the command does not have or that leaves no search here, and for a flag that is not True or False; and
    HpsearchError with what the command would report in one line.
    """
    command = VERBS[verb]
    for word in ("dry_run", "submit"):
        if verb == "launch" and words.get(word):
            raise TypeError(f"launch({word}=…) leaves no search here to return; use the command hpsearch launch")
    arguments = [*([search] if search is not None else []), *_options(command, words)]
    called = Call([verb, *arguments])
    find_own_code()
    try:
        command.main(arguments, prog_name=f"hpsearch {verb}", standalone_mode=False, obj=called)
    except click.ClickException as error:
        raise OptionError(" ".join(error.format_message().split())) from error
    except click.Abort as end:  # click's form of a Ctrl-C outside the session, which is an Exception
        raise KeyboardInterrupt from end
    except SystemExit as end:  # some trials failed, as the tables say; or it was interrupted
        if end.code == 130:
            raise KeyboardInterrupt from end
    assert called.search is not None  # a command that found no search has raised an error
    return read_search(*called.search)


def _options(command: click.Command, words: dict[str, Any]) -> Iterator[str]:
    """The command line of options that are given as keywords, such as limit_train=4000."""
    known = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in command.params}
    for word, value in words.items():
        option = known.get(word)
        if not isinstance(option, click.Option):
            given = sorted(name for name, each in known.items() if isinstance(each, click.Option))
            raise TypeError(f"{command.name}() has no option '{word}'; it takes {', '.join(given)}")
        if option.is_flag:
            if not isinstance(value, bool | None):
                raise TypeError(f"{command.name}({word}=…) takes True or False; got {value!r}")
            yield from [option.opts[0]] if value else []
        elif value is not None:
            is_several = option.multiple and isinstance(value, Iterable) and not isinstance(value, str)
            for each in value if is_several else (value,):
                yield from (option.opts[0], str(each))
