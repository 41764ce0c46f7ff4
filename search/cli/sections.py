"""A command with many options, shown in sections."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Sections(click.Command):
    """A command whose help lists its options under headings; options without a section come last."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        """sections: headings, each with its options without their dashes, such as `limit-train`."""
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each heading."""
        rows = {}
        for param in self.get_params(ctx):
            if (row := param.get_help_record(ctx)) is not None:
                rows[param.opts[-1].removeprefix("--")] = row
        for heading, names in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([rows.pop(name) for name in names])
        with formatter.section("Other options"):
            formatter.write_dl(list(rows.values()))
