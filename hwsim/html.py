"""Small HTML tables for notebooks, with every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

LEFT, RIGHT = "text-align:left", "text-align:right"


def html_table(title: str, rows: Iterable[Sequence[str]], header: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Return a table with a caption; the first cell of a row is its heading, ``right`` are columns of numbers."""

    def cell(tag: str, text: str, index: int) -> str:
        return f"<{tag} style='{RIGHT if index in right else LEFT}'>{escape(text)}</{tag}>"

    head = "".join(cell("th", text, index) for index, text in enumerate(header))
    lines = ["".join(cell("td" if index else "th", text, index) for index, text in enumerate(row)) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<table><caption><b>{escape(title)}</b></caption>{top}<tbody>{body}</tbody></table>"
