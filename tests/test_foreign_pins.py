"""What is installed is said exactly: every requirement is pinned to one version, and nothing is fetched from elsewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements*.txt")))
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*(\s+#.*|\s+\\)?( --hash=sha256:[0-9a-f]{64})*")


def test_there_are_requirements() -> None:
    assert {str(path) for path in FILES} >= {"requirements.txt", "dashboard/requirements.txt"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_requirement_is_one_version(file: Path) -> None:
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    named = []
    for line in lines:
        if not line or line.startswith(("#", "--hash=")):
            continue
        if line.startswith("-r "):
            assert ((ROOT / file).parent / line[3:]).is_file()
            continue
        assert PIN.fullmatch(line), f"{file}: {line!r} is no name==version"
        named.append(re.split(r"[\[=]", line)[0].lower().replace("_", "-"))
    assert named
    assert len(set(named)) == len(named)


NO_PINS = (
    "duckdb", "duckdb>=2", "duckdb==2.*", "git+https://evil.example/x", "x @ https://evil.example/x", "-e .", "./wheel.whl",
    "--index-url https://evil.example", "duckdb==2.0.0; curl evil",
)  # fmt: skip


@pytest.mark.parametrize("line", NO_PINS)
def test_what_is_no_pin_is_found(line: str) -> None:
    assert not PIN.fullmatch(line)
