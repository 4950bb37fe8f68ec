"""What becomes of text that was written for GitHub or for docstrings."""

from types import ModuleType

import pytest

from docs_pages import ROOT


@pytest.fixture
def prose(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools" / "docs")
    import prose

    return prose


def test_links_out_of_the_pages(prose: ModuleType) -> None:
    def mend(text: str, page: str = "train.md") -> str:
        return prose.within_site(text, page)

    assert mend("[schema](../src/spatialflow/config/schema.py)") == "[schema](reference/settings.md)"
    assert mend("[it](../../CHANGELOG.md#a)", "reference/api.md") == "[it](../changes.md#a)"
    assert mend("[`x`](../examples/desk/classes.yaml)") == "`x`", "no page: the text stays"
    assert mend("[a](evaluate.md#b)") == "[a](evaluate.md#b)"
    assert mend("[a](https://x.org/y)") == "[a](https://x.org/y)"
    assert mend("![a](images/a.svg)") == "![a](images/a.svg)"
    with pytest.raises(FileNotFoundError, match=r"train\.md.*nowhere\.py"):
        mend("[a](../nowhere.py)")


def test_sections_of_the_readme(prose: ModuleType, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# x\n\n## One\n\nsee [p](docs/p.md)\n\n### Deeper\n\n## Two\n\nlast\n"
    (tmp_path / "README.md").write_text(text)
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    assert (
        prose.readme_sections("a <!-- README: One --> b", "m.md") == "a see [p](../docs/p.md)\n\n### Deeper b"
    )
    assert prose.readme_sections("<!-- README: Two -->", "m.md") == "last"
    with pytest.raises(ValueError, match="no section 'Three'"):
        prose.readme_sections("<!-- README: Three -->", "m.md")


def test_roles_and_cells(prose: ModuleType) -> None:
    assert (
        prose.plain_roles(":func:<code>~a.b</code> :x:<code>y</code>") == "<code>a.b</code> :x:<code>y</code>"
    )
    assert prose.cell("a |\n b<c") == "a \\| b&lt;c"
    assert prose.code_cell("A|B") == "`A\\|B`"
