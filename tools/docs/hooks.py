"""What mkdocs calls while it builds the site: pages that are made of the code, and links that leave docs/."""

from typing import Any

from commands_page import commands_page
from mkdocs.structure.pages import Page
from prose import plain_roles, readme_sections, within_site
from recipes_page import recipes_page
from settings_page import settings_page

GENERATED = {
    "<!-- generated: commands -->": commands_page,
    "<!-- generated: recipes -->": recipes_page,
    "<!-- generated: settings -->": settings_page,
}


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put in what is generated, and mend links to files of the repository that are no pages."""
    for marker, make in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return within_site(readme_sections(markdown, page.file.src_uri), page.file.src_uri)


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings are written for Sphinx's readers, too."""
    return plain_roles(html)
