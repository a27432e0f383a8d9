"""Sphinx extension: the page of the public API, made from signatures and docstrings.

Docstrings here are prose: names stand between single backticks, formulas stand as they are. So a backtick becomes code,
linked where the page has such a name, and nothing else is read as markup. The fields of a dataclass follow its name, so
its signature does not repeat them where all have a docstring. Every name has a link to its lines on GitHub.
"""

import dataclasses
import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer

ROOT = Path(importlib.import_module("srvp_lite").__file__).parents[1]
CHAPTERS = {str(int(p.stem[:2])): p.stem for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}


def markup(text: str) -> str:
    """A docstring as reStructuredText: what stands between backticks is a name or code, the rest is plain, and a
    chapter's number leads there."""
    parts = text.split("`")
    parts[::2] = [chapters_linked(re.sub(r"([\\*|_])", r"\\\1", part)) for part in parts[::2]]
    parts[1::2] = [name_or_code(" ".join(part.split())) for part in parts[1::2]]
    return "".join(parts)


def name_or_code(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return f"``{text}``"
    anywhere = "." if text[0].isupper() else ""  # a class is found in any room, other names near the docstring only
    return f":py:obj:`{anywhere}{text}`"


def chapters_linked(text: str) -> str:
    def link(match: re.Match) -> str:
        words = " ".join(match[0].split())
        return f":doc:`{words} </notebooks/{CHAPTERS[match[1]]}>`" if match[1] in CHAPTERS else match[0]

    return re.sub(r"\b[Cc]hapters?\s+(\d+)\b", link, text)


def first_sentence(docstring: str) -> str:
    paragraph = " ".join(inspect.cleandoc(docstring).split("\n\n")[0].split())
    return re.split(r"(?<=[a-z)`][.]) (?=[A-Z])|; ", paragraph)[0].rstrip(".") + "."


def home(thing, name: str) -> str:
    """The full name under which the page describes something: its room's, or its file's where the room lacks it."""
    room = importlib.import_module(".".join(thing.__module__.split(".")[:2]))
    return f"{room.__name__}.{name}" if name in getattr(room, "__all__", ()) else f"{thing.__module__}.{name}"


class Names(Directive):
    """`.. names:: MODULE`: the classes and functions of its `__all__`, each with a link and its first sentence."""

    required_arguments = 1

    def run(self):
        module = importlib.import_module(self.arguments[0])
        things = [(name, getattr(module, name)) for name in module.__all__]
        lines = [
            f"- :py:obj:`{name} <{home(thing, name)}>`: {markup(first_sentence(thing.__doc__))}"
            for name, thing in things
            if inspect.isclass(thing) or inspect.isroutine(thing)
        ]
        found = nodes.Element()
        self.state.nested_parse(StringList(lines, self.arguments[0]), self.content_offset, found)
        return found.children


def docstring_to_markup(app, what, name, obj, options, lines):
    lines[:] = markup("\n".join(lines)).split("\n")


def signature_of_dataclass(app, what, name, obj, options, arguments, returns):
    if inspect.isclass(obj) and dataclasses.is_dataclass(obj):
        described = ModuleAnalyzer.for_module(obj.__module__).find_attr_docs()
        if all((obj.__qualname__, field.name) in described for field in dataclasses.fields(obj)):
            return "", None
        return arguments.replace("<factory>", "..."), None  # a default that a function makes, in no Python's grammar


def source_of(info: dict) -> str | None:
    """The file and lines of a name, below the repository's root; None for fields and plain values."""
    try:
        thing = importlib.import_module(info["module"])
        for part in info["fullname"].split("."):
            thing = getattr(thing, part)
        thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
        file, (lines, start) = Path(inspect.getfile(thing)).relative_to(ROOT), inspect.getsourcelines(thing)
    except (AttributeError, TypeError, ValueError, OSError):
        return None
    return f"{file.as_posix()}#L{start}-L{start + len(lines) - 1}"


def link_sources(app, config):
    theme = config.html_theme_options
    at = f"{theme['repository_url']}/blob/{theme['repository_branch']}/"
    config.linkcode_resolve = lambda domain, info: at + source if (source := source_of(info)) else None


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.linkcode")
    app.connect("config-inited", link_sources)
    app.connect("autodoc-process-docstring", docstring_to_markup)
    app.connect("autodoc-process-signature", signature_of_dataclass)
    app.add_directive("names", Names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
