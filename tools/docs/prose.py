"""Text that was written to be read elsewhere: on GitHub beside the code, or in docstrings."""

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGE_OF = {
    "src/spatialflow/config/schema.py": "reference/settings.md",
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
"""Files of the repository that have a page on the site."""

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_README = re.compile(r"<!-- README: (?P<title>.+?) -->")
_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):<code>[~.]*")


def within_site(markdown: str, page: str) -> str:
    """Links of a page to files outside ``docs/``: to the page that stands for the file, or just its text.

    Args:
        markdown: of the page.
        page: its path within ``docs/``.

    Raises:
        FileNotFoundError: there is no such file in the repository.
    """

    def mend(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path.startswith("docs/"):
            relative = posixpath.relpath(path, posixpath.join("docs", posixpath.dirname(page)))
            return f"[{link['text']}]({relative}{link['anchor'] or ''})"
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"docs/{page}: links to {target}, which is not in the repository")
        if path not in PAGE_OF:
            return link["text"]
        relative = posixpath.relpath(PAGE_OF[path], posixpath.dirname(page) or ".")
        return f"[{link['text']}]({relative}{link['anchor'] or ''})"

    return _LINK.sub(mend, markdown)


def readme_sections(markdown: str, page: str) -> str:
    """Put sections of the README in the place of ``<!-- README: Title -->``, so that each is written once.

    Raises:
        ValueError: the README has no section of that title.
    """

    def section(marker: re.Match[str]) -> str:
        title = marker["title"]
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", readme, re.DOTALL | re.MULTILINE)
        if found is None:
            raise ValueError(f"docs/{page}: README.md has no section {title!r}")
        to_root = "../" * (page.count("/") + 1)
        return _LINK.sub(lambda link: _relocated(link, to_root), found[1].strip())

    return _README.sub(section, markdown)


def _relocated(link: re.Match[str], to_root: str) -> str:
    if "://" in link["target"]:
        return link[0]
    return f"[{link['text']}]({to_root}{link['target']}{link['anchor'] or ''})"


def plain_roles(html: str) -> str:
    """Without the roles of reStructuredText: ``:func:`name``` becomes ``name`` as code."""
    return _ROLE.sub("<code>", html)


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def code_cell(text: str) -> str:
    """Code for a cell of a Markdown table; GitHub's escape of a bar works within code, too."""
    return f"`{' '.join(text.split()).replace('|', chr(92) + '|')}`"
