"""Lead from a run's report to the page that `tfminilm web` wrote."""

import pathlib

SITE = "site"  # The folder of the page, in the run's.


def link(workdir: pathlib.Path) -> str:
    """Return a line of HTML with the link; empty if there is no page."""
    if not (workdir / SITE / "index.html").is_file():
        return ""
    return (
        f'<p class="note"><a href="{SITE}/index.html">Try the student in this '
        "browser</a>: the page needs a web server, such as <code>python3 -m "
        "http.server</code> in this folder.</p>"
    )
