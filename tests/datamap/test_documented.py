"""Whatever the loader knows under `meta.privacy` is explained to the engineer who writes it."""

import ast
import re
from pathlib import Path

import yaml

from privacy.datamap import extension

GUIDE = (Path(__file__).parents[2] / "docs" / "data-engineer.md").read_text(encoding="utf-8")


def known_words() -> set[str]:
    """Every key and value that extension.py compares with: they stand in tuples of plain words."""
    tree = ast.parse(Path(extension.__file__).read_text(encoding="utf-8"))
    words: set[str] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Tuple)
            and node.elts
            and all(isinstance(e, ast.Constant) and isinstance(e.value, str) for e in node.elts)
        ):
            words |= {e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)}
    return {word for word in words if re.fullmatch(r"[a-z0-9_-]+", word)}


def test_every_key_and_value_of_the_extension_is_explained() -> None:
    words = known_words()
    assert {"on_erasure", "fiscal_year_ends", "6-1-f", "third_party", "joint", "set_null", "mine"} <= words
    missing = sorted(word for word in words if not re.search(rf"`[^`]*\b{re.escape(word)}\b[^`]*`", GUIDE))
    assert missing == [], "explain these in docs/data-engineer.md"


def test_the_commands_of_the_guide_exist() -> None:
    from privacy.management.commands.datamap import Command

    parser = Command().create_parser("manage.py", "datamap")
    for line in re.findall(r"^manage\.py datamap ([^#\n]*)", GUIDE, flags=re.MULTILINE):
        parser.parse_args(line.split())


def test_the_examples_of_the_guide_are_yaml() -> None:
    for block in re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL):
        assert yaml.safe_load(block)
