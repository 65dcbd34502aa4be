"""The parts of a page that opens offline: one file, no request to anywhere, pictures inside."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from dfrnet.evaluation import figures

STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--quiet:#666;--line:#ccc;--page:#fff;--soft:#f4f4f4}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--quiet:#a5a5a5;--line:#444;--page:#161616;--soft:#232323}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:84rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.4rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th.word,td.word{text-align:left}td.method{white-space:normal;min-width:9rem}
tr.group td{border-top:2px solid var(--quiet)}tr.leaky td{color:var(--quiet);background:var(--soft);font-style:italic}
tr.headline td{font-weight:600}.quiet,.notes{color:var(--quiet);font-size:.88rem}
.warn{border-left:4px solid #d55e00;padding:.4rem .8rem;background:var(--soft)}
figure{margin:1rem 1rem 1rem 0;display:inline-block;vertical-align:top}
img{max-width:100%;height:auto;background:#fff;border-radius:4px}pre{overflow-x:auto;background:var(--soft);padding:.6rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dt{color:var(--quiet)}dd{margin:0}
@media print{:root{--ink:#000;--quiet:#444;--line:#bbb;--page:#fff;--soft:#f4f4f4}body{max-width:none;margin:0}
h2{break-after:avoid}figure,tr{break-inside:avoid}.scroll{overflow:visible}table{font-size:.7rem}}
"""


LONG = 60
"""A cell of more characters is broken into lines."""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole HTML document; ``title`` is text, ``parts`` are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Said to the browser too: nothing may be fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def escape(value: object) -> str:
    """Text for HTML."""
    return html.escape(str(value), quote=True)


def section(title: str, body: str, level: int = 2) -> str:
    """A heading and what is under it."""
    return f"<section><h{level}>{escape(title)}</h{level}>\n{body}</section>"


def picture(png: bytes, alt: str) -> str:
    """A PNG within the page."""
    data = base64.b64encode(png).decode("ascii")
    # A PNG's width stands at byte 16; a page has 96 dots an inch.
    width = int.from_bytes(png[16:20], "big") * 96 // figures.DPI
    return f'<figure><img width="{width}" alt="{escape(alt)}" src="data:image/png;base64,{data}"></figure>'


def table(titles: Sequence[str], lines: Iterable[tuple[str, Sequence[object]]], words: int = 1) -> str:
    """A table whose first ``words`` columns are words; each line is its CSS class and its cells."""
    kinds = ["word"] * words + [""] * (len(titles) - words)
    head = "".join(f'<th scope="col" class="{kind}">{escape(t)}</th>' for t, kind in zip(titles, kinds, strict=True))
    body = "\n".join(
        f'<tr class="{css}">'
        + "".join(
            f'<td class="{kind}{" method" if title == "method" or len(str(cell)) > LONG else ""}">{escape(cell)}</td>'
            for cell, kind, title in zip(cells, kinds, titles, strict=True)
        )
        + "</tr>"
        for css, cells in lines
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
